-- A handshake. KEYS: of its rate, of the sessions, of their messages, of their bytes.
-- ARGV: 1 the time for a handshake in microseconds, or 0 for no rate; 2 the time for a burst;
-- 3 the most sessions, or -1; 4 for how long a place is kept, in milliseconds; 5 the name of the place;
-- 6 to 11 and 12 to 17 what is borrowed of messages and of bytes: count, per, burst, slice, most (0: nothing), keep.
-- The answer: 0, or what is used up (1 the rate, 2 the sessions); when the rate allows the next; what is lent.
local emission, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
if emission > 0 then
  -- GCRA: when the bucket is full again. A rate may have become lower, and a clock may have been set.
  local full = math.min(tonumber(redis.call('GET', KEYS[1]) or now) or now, now + tolerance)
  full = math.max(full, now) + emission
  if full - now > tolerance then
    return {1, math.ceil(full - now - tolerance), 0, 0}
  end
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
end

local most, keep = tonumber(ARGV[3]), tonumber(ARGV[4])
if most >= 0 then
  local now_millis = math.floor(now / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now_millis)
  if redis.call('ZCARD', KEYS[2]) >= most then
    return {2, 0, 0, 0}
  end
  redis.call('ZADD', KEYS[2], now_millis + keep, ARGV[5])
  redis.call('PEXPIRE', KEYS[2], keep)
end

local lent = {0, 0}
for kind = 1, 2 do
  local numbers = {}
  for number = 1, 6 do
    numbers[number] = tonumber(ARGV[6 * kind - 1 + number])
  end
  local count, per, burst, slice, wanted, kept = unpack(numbers)
  if wanted > 0 then
    lent[kind] = lend(KEYS[2 + kind], count, per, burst, slice, 0, wanted, kept)
  end
end
return {0, 0, lent[1], lent[2]}
