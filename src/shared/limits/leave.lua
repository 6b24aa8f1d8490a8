-- Gives places back. KEYS: of the sessions. ARGV: the names of the places.
return redis.call('ZREM', KEYS[1], unpack(ARGV))
