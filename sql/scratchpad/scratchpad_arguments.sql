-- Arguments of scratchpad functions. What tables constrain is checked here too: a caller is told which
-- argument is wrong.
create or replace function memos_private.require_note_text(
    p_argument text, p_text text, p_max_bytes int, p_may_be_null boolean
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_text is null and p_may_be_null then
        return;
    end if;
    if p_text is null or p_text !~ '\S' or octet_length(p_text) > p_max_bytes then
        perform memos_private.refuse_argument(
            p_argument,
            case when p_text is null then 'it is null' when p_text !~ '\S' then 'it is blank'
                else format('it has %s bytes', octet_length(p_text)) end,
            format('text that is not blank and has at most %s bytes', p_max_bytes)
        );
    end if;
end
$body$;
comment on function memos_private.require_note_text is 'Raises MO400 for text that is blank or too long.';

create or replace function memos_private.require_note_json(
    p_argument text, p_value jsonb, p_object boolean, p_may_be_null boolean
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_max_bytes int;
begin
    if p_value is null and p_may_be_null or p_value = '{}' then
        return;
    end if;
    v_max_bytes := memos_private.setting(
        case when p_object then 'max_metadata_bytes' else 'max_content_bytes' end
    );
    if p_value is null or p_object and jsonb_typeof(p_value) <> 'object'
        or octet_length(p_value::text) > v_max_bytes
    then
        perform memos_private.refuse_argument(
            p_argument,
            case when p_value is null then 'it is null' else
                format('a JSON %s of %s bytes', jsonb_typeof(p_value), octet_length(p_value::text)) end,
            format('a JSON %s of at most %s bytes', case when p_object then 'object' else 'value' end,
                v_max_bytes)
        );
    end if;
end
$body$;
comment on function memos_private.require_note_json is
    'Raises MO400 for JSON that is missing, too large, or no object where there has to be one.';

create or replace function memos_private.require_word(p_argument text, p_word text, p_words text[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_word is null or p_word <> all (p_words) then
        perform memos_private.refuse_argument(
            p_argument, memos_private.it_is(p_word),
            'one of: ' || array_to_string(p_words, ', ')
        );
    end if;
end
$body$;
comment on function memos_private.require_word is 'Raises MO400 for anything but one of the words.';

create or replace function memos_private.require_words(p_argument text, p_given text[], p_words text[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if not p_given <@ p_words then
        perform memos_private.refuse_argument(
            p_argument, memos_private.it_is(p_given),
            'null, or some of: ' || array_to_string(p_words, ', ')
        );
    end if;
end
$body$;
comment on function memos_private.require_words is
    'Raises MO400 for a filter that nothing can pass: it would look as if there were nothing.';

create or replace function memos_private.require_lasting(
    p_argument text, p_interval interval, p_may_be_null boolean
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_interval is null and p_may_be_null then
        return;
    end if;
    if p_interval is null or p_interval <= interval '0' or p_interval > interval '10 years' then
        perform memos_private.refuse_argument(
            p_argument, memos_private.it_is(p_interval),
            'more than 0, at most 10 years'
        );
    end if;
end
$body$;
comment on function memos_private.require_lasting is 'Raises MO400 for no time, negative or endless time.';

create or replace function memos_private.require_scratchpad(p_user_id uuid, p_scratchpad_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if exists (
        select from memos_private.scratchpad as s
        where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id
    ) then
        return;
    end if;
    if p_scratchpad_id is null then
        perform memos_private.refuse_argument(
            'p_scratchpad_id', 'it is null', 'the id that memos.open_scratchpad returned'
        );
    end if;
    raise exception 'scratchpad not found'
        using errcode = memos_private.audit_failure('MO404'),
            detail = format('the user has no scratchpad %s', p_scratchpad_id),
            hint = 'memos.list_scratchpads shows the ids; closed ones go when their time has come';
end
$body$;
comment on function memos_private.require_scratchpad is
    'Raises MO404 for a scratchpad that the user does not have, MO400 for null.';

create or replace function memos_private.lock_open_scratchpad(p_user_id uuid, p_scratchpad_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_scratchpad record;
begin
    perform memos_private.share_contents(p_user_id);
    -- The lock that the foreign keys of what is written take anyway: a closing waits for it, so that
    -- nothing is written behind its back.
    select s.status, s.closed_at into v_scratchpad
    from memos_private.scratchpad as s
    where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id
    for key share;
    if not found then
        perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    end if;
    if v_scratchpad.status <> 'open' then
        raise exception 'the scratchpad is closed'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('scratchpad %s is %s since %s', p_scratchpad_id, v_scratchpad.status,
                    v_scratchpad.closed_at),
                hint = 'open another one: memos.open_scratchpad';
    end if;
end
$body$;
comment on function memos_private.lock_open_scratchpad is
    'Keeps a scratchpad from being closed until the transaction ends. Raises MO404, MO409 (it is closed), '
    'MO400 (null).';

create or replace function memos_private.refuse_missing_entry(p_argument text, p_kind text, p_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_id is null then
        perform memos_private.refuse_argument(p_argument, 'it is null', format('the id of a %s', p_kind));
    end if;
    raise exception '% not found', p_kind
        using errcode = memos_private.audit_failure('MO404'),
            detail = format('%s: the scratchpad has no %s %s', p_argument, p_kind, p_id),
            hint = 'memos.list_entries and memos.list_actions show the ids';
end
$body$;
comment on function memos_private.refuse_missing_entry is 'Raises MO404 (MO400 for a null id).';
