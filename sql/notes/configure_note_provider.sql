create or replace function memos_private.can_make_notes(p_provider text)
returns boolean
language sql
stable
return p_provider <> 'off' and to_regprocedure('memos_private.ask_note(jsonb, jsonb)') is not null;
comment on function memos_private.can_make_notes is
    'Whether this server can make notes: PL/Python is there, and they are wanted.';

create or replace function memos_admin.configure_note_provider(
    p_provider text,
    p_options  jsonb default '{}',
    p_evolve   boolean default false,
    p_remake   boolean default false
)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_count bigint;
begin
    if p_provider is null or p_provider not in ('rules', 'http', 'off') then
        perform memos_private.refuse_argument(
            'p_provider', memos_private.it_is(p_provider),
            'rules, http or off'
        );
    end if;
    if p_options is null or jsonb_typeof(p_options) <> 'object'
        or (p_provider <> 'http' and p_options <> '{}')
    then
        perform memos_private.refuse_argument(
            'p_options', memos_private.it_is(p_options),
            'for http a JSON object with url, api, model, api_key_env, timeout_seconds; else {}'
        );
    end if;
    if p_evolve is null or p_remake is null then
        perform memos_private.refuse_argument(
            case when p_evolve is null then 'p_evolve' else 'p_remake' end, 'it is null', 'true or false'
        );
    end if;
    perform memos_private.audit(null, 'memos_admin.configure_note_provider');
    if p_provider <> 'off' and not memos_private.can_make_notes(p_provider) then
        raise exception 'this server cannot make notes'
            using errcode = 'feature_not_supported',
                detail = format('provider %s needs the language plpython3u', p_provider),
                hint = 'install postgresql-plpython3 and run memos migrate';
    end if;
    if p_provider = 'http' then
        perform memos_private.check_chat_options(p_options);
        if p_options ->> 'model' in ('rules', 'caller') then
            perform memos_private.refuse_argument(
                'p_options', 'the model is called ' || (p_options ->> 'model'),
                'a model whose notes can be told from those of the rules and of callers'
            );
        end if;
    end if;
    update memos_private.note_provider
    set provider = p_provider, options = p_options, evolves = p_evolve;
    if p_provider = 'off' then
        delete from memos_private.note_queue;
        delete from memos_private.note_block;
        return 0;
    end if;
    insert into memos_private.note_queue (user_id, memory_id)
    select m.user_id, m.memory_id
    from memos_private.memory as m
    where not exists (
        select from memos_private.memory_note as n
        where n.user_id = m.user_id and n.memory_id = m.memory_id
            and (not p_remake or n.made_by in ('caller', coalesce(p_options ->> 'model', p_provider)))
    )
    on conflict (user_id, memory_id) do update set available_at = '-infinity', attempts = 0
    where note_queue.attempts > 0;
    get diagnostics v_count = row_count;
    return v_count;
end
$body$;
comment on function memos_admin.configure_note_provider is
    'Who makes the notes of memories: rules (statistics and rules in PL/Python), http (a language model '
    'behind Ollama or an OpenAI-compatible server; p_options: url, api (ollama, openai), model, '
    'api_key_env (name of an environment variable of the server), timeout_seconds), or off. p_evolve: '
    'maintenance lets new memories evolve their neighbours, too. Memories without a note are queued, '
    'and with p_remake those whose note another provider made (never a caller''s). Returns how many. '
    'Errors: MO400, 0A000 without plpython3u.';

create or replace function memos_admin.note_status()
returns table (
    provider text, model text, evolves boolean, done bigint, pending bigint, failed bigint,
    to_evolve bigint, last_error text
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select p.provider, p.options ->> 'model', p.evolves,
        (select count(*) from memos_private.memory_note),
        (select count(*) from memos_private.note_queue as q where q.available_at < 'infinity')
            + (select coalesce(sum(cardinality(b.memory_ids)), 0)::bigint from memos_private.note_block as b),
        (select count(*) from memos_private.note_queue as q where q.available_at = 'infinity'),
        (select count(*) from memos_private.memory_note as n where not n.evolved),
        (select max(q.last_error) from memos_private.note_queue as q)
    from memos_private.note_provider as p
$body$;
comment on function memos_admin.note_status is
    'Who makes notes, and how many memories have one, wait for it, were given up, or have not evolved '
    'their neighbours yet.';
