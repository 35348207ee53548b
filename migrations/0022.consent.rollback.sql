drop table if exists memos_private.quarantine cascade;
drop table if exists memos_private.provenance_limit cascade;
drop table if exists memos_private.permission cascade;
drop table if exists memos_private.user_setting cascade;
drop table if exists memos_private.consent cascade;
drop table if exists memos_private.consent_type cascade;
drop function if exists memos_private.tg_consent_changed() cascade;
delete from memos_private.setting where name = 'max_memories_per_user';
