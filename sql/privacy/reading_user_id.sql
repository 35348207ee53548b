-- In the read views, where it is evaluated once a statement. Public, since whoever reads a view executes
-- its functions.
create or replace function memos.reading_user_id(p_view text)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_user_id constant uuid := memos.current_user_id();
begin
    perform memos_private.require_word('p_view', p_view, array['memory', 'memory_version']);
    if v_user_id is not null then
        perform memos_private.audit_read(v_user_id, p_view);
    end if;
    return v_user_id;
end
$body$;
comment on function memos.reading_user_id is
    'memos.current_user_id for the read views, which writes down that the user''s rows are read. '
    'Errors: MO400, MO403.';
