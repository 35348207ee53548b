do $$
declare
    v_trigger record;
begin
    for v_trigger in
        select t.tgname as name, t.tgrelid::regclass as "table"
        from pg_catalog.pg_trigger as t
        where t.tgname = 't10_refuse_erased'
    loop
        execute format('drop trigger %I on %s', v_trigger.name, v_trigger."table");
    end loop;
end
$$;
drop table if exists memos_private.erasure_tombstone cascade;
drop table if exists memos_private.erasure_receipt cascade;
drop table if exists memos_private.erasure_key cascade;
delete from memos_private.setting where name = 'backup_retention_days';
