-- Keeps the places of sessions. KEYS: of the sessions. ARGV: for how long, in milliseconds; the names of the places.
local time = redis.call('TIME')
local until_millis = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
for place = 2, #ARGV do
  redis.call('ZADD', KEYS[1], until_millis, ARGV[place])
end
return redis.call('PEXPIRE', KEYS[1], ARGV[1])
