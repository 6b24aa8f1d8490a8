local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

-- Lends between `least` and `most` units out of a bucket, or none: then the second result is when there will be enough,
-- in microseconds. A bucket that nobody has borrowed from for long is as full as the settings say. As long as a gate may
-- have a slice left, it holds that much less.
local function lend(key, count, per, burst, slice, least, most, keep)
  local tokens, at = burst, now
  local at_then, left = string.match(redis.call('GET', key) or '', '^(%d+) ([%d%.e+-]+)$')
  at_then, left = tonumber(at_then), tonumber(left)
  if at_then and left then
    at = math.max(now, at_then)
    tokens = math.min(math.max(burst - slice, 1), left + (at - at_then) * count / per)
  end
  local lent = math.min(math.floor(tokens), most)
  if lent < least then
    return 0, math.ceil((least - tokens) * per / count)
  end
  if lent > 0 then
    redis.call('SET', key, string.format('%.0f %.17g', at, tokens - lent), 'PX', keep)
  end
  return lent, 0
end

