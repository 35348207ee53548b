create or replace view memos_private.link_of_any_tier as
select user_id, from_id, to_id, type, weight, origin, created_at
from memos_private.memory_link
union all
select user_id, from_id, to_id, type, weight, origin, created_at
from memos_private.memory_link_cold;
comment on view memos_private.link_of_any_tier is 'Every link, also those with a cold end.';
