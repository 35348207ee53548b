-- UUID version 7 (RFC 9562, 5.7 and 6.2 method 3: the 12 bits after the version hold microseconds).
-- Ordered by time, so that new rows land at the end of every index and ids list newest first.
create or replace function memos_private.new_memory_id(p_at timestamptz)
returns uuid
language sql
volatile
return encode(
    substr(int8send(floor(extract(epoch from p_at) * 1000)::bigint), 3)
    || int2send((28672 + (extract(microseconds from p_at)::int % 1000) * 4096 / 1000)::int2)
    || substr(uuid_send(gen_random_uuid()), 9),
    'hex'
)::uuid;
comment on function memos_private.new_memory_id is 'A new time-ordered id (UUID version 7) for that time.';
