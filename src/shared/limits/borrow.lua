-- A loan. KEYS: the bucket. ARGV: count, per, burst, slice, least, most, keep.
local numbers = {}
for number = 1, 7 do
  numbers[number] = tonumber(ARGV[number])
end
local lent, wait = lend(KEYS[1], unpack(numbers))
return {lent, wait}
