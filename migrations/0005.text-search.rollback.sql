drop type if exists memos_private.indexed_text cascade;
drop table if exists memos_private.corpus cascade;
drop table if exists memos_private.posting cascade;
do $$
declare
    v_name text;
begin
    for v_name in
        select cfgname from pg_catalog.pg_ts_config where cfgnamespace = 'memos'::regnamespace
    loop
        execute format('drop text search configuration memos.%I', v_name);
    end loop;
end
$$;
