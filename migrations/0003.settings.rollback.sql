drop table if exists memos_private.python_module;
drop table if exists memos_private.repeatable;
drop table if exists memos_private.context_key;
drop table if exists memos_private.setting;
drop function if exists memos_private.protect_user_table(regclass);
