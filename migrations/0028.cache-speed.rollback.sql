alter table memos_private.cache_entry drop column if exists copied, drop column if exists has_question;
