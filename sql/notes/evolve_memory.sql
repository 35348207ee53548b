-- The neighbours of a memory are the older ones that links lead to: ids are ordered by time. What a memory says at one privacy level is
-- never written into the note of one at another.
create or replace function memos_private.evolution_neighbours(p_user_id uuid, p_memory_id uuid)
returns table (
    memory_id uuid, version int, pinned boolean, memory_tags text[], content text, keywords text[],
    note_tags text[], context text, weight real
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    return query
    select m.memory_id, m.version, m.pinned, m.tags, m.content, n.keywords, n.tags, n.context, l.weight
    from (
        select s.other_id, max(s.weight) as weight
        from (
            select f.to_id as other_id, f.weight, f.type
            from memos_private.memory_link as f
            where f.user_id = p_user_id and f.from_id = p_memory_id
            union all
            select t.from_id, t.weight, t.type
            from memos_private.memory_link as t
            where t.user_id = p_user_id and t.to_id = p_memory_id
        ) as s
        where s.type not in ('contradicts', 'derived_from', 'duplicate_of') and s.weight > 0
        group by s.other_id
    ) as l
    join memos_private.memory as m on m.user_id = p_user_id and m.memory_id = l.other_id
    join memos_private.memory as x on x.user_id = p_user_id and x.memory_id = p_memory_id
    join memos_private.memory_note as n on n.user_id = p_user_id and n.memory_id = m.memory_id
    where m.memory_id < p_memory_id and m.privacy_level = x.privacy_level
    order by l.weight desc, m.memory_id
    limit memos_private.setting('evolution_neighbours')::int;
end
$body$;
comment on function memos_private.evolution_neighbours is
    'The nearest linked memories that have a note, which a memory may change.';

create or replace function memos_private.propose_evolution(p_user_id uuid, p_memory_id uuid)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_memory memos_private.memory;
    v_note memos_private.memory_note;
    v_neighbour record;
    v_shared text[];
    v_note_tags text[];
    v_memory_tags text[];
    v_change jsonb;
    v_neighbours jsonb := '[]';
    v_links jsonb := '[]';
    v_reasons text[] := '{}';
begin
    select * into v_memory
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = p_memory_id;
    select * into v_note
    from memos_private.memory_note as n
    where n.user_id = p_user_id and n.memory_id = p_memory_id;
    for v_neighbour in
        select * from memos_private.evolution_neighbours(p_user_id, p_memory_id)
    loop
        -- Words of keywords, so that "Anna's Lisinopril" meets "Lisinopril"; one word alone can be chance.
        v_shared := array(
            select w from unnest(v_note.keywords) as k cross join lateral regexp_split_to_table(lower(k), '\s+') as w
            where length(w) > 2
            intersect
            select w from unnest(v_neighbour.keywords) as k cross join lateral regexp_split_to_table(lower(k), '\s+') as w
            order by 1
        );
        v_memory_tags := array(
            select unnest(v_memory.tags) intersect select unnest(v_neighbour.memory_tags)
        );
        continue when v_memory_tags = '{}' and cardinality(v_shared) < 2 and not exists (
            select from unnest(v_note.keywords) as a join unnest(v_neighbour.keywords) as b on lower(a) = lower(b)
        );
        v_change := jsonb_build_object(
            'memory_id', v_neighbour.memory_id, 'version', v_neighbour.version,
            'why', concat_ws('; ',
                'shares the words ' || nullif(array_to_string(v_shared, ', '), ''),
                'shares the tags ' || nullif(array_to_string(v_memory_tags, ', '), '')
            )
        );
        -- What both are about becomes a category of the older one, and its context says what came later.
        v_note_tags := v_neighbour.note_tags || array(
            select s from unnest(v_shared) as s where s <> all (v_neighbour.note_tags)
        );
        v_change := v_change || jsonb_build_object('note', jsonb_build_object(
            'tags', to_jsonb(v_note_tags[:16]),
            'context', left(regexp_replace(v_neighbour.context, ' \[later: .*\]$', ''), 600)
                || format(' [later: %s]', left(regexp_replace(v_note.context, ' \[later: .*\]$', ''), 200))
        ));
        if v_memory_tags <> '{}' and not v_neighbour.pinned then
            v_memory_tags := v_neighbour.memory_tags || array(
                select t from unnest(v_memory.tags) as t where t <> all (v_neighbour.memory_tags)
            );
            v_change := v_change || jsonb_build_object('tags', to_jsonb(v_memory_tags[:64]));
        end if;
        v_neighbours := v_neighbours || v_change;
        v_links := v_links || jsonb_build_object(
            'to', v_neighbour.memory_id, 'type', 'related',
            'weight', least(1, round((v_neighbour.weight + 0.05 * greatest(1, cardinality(v_shared)))::numeric, 3))
        );
        v_reasons := v_reasons || (v_change ->> 'why');
    end loop;
    return jsonb_build_object(
        'reason', left(array_to_string(v_reasons, ' | '), 900), 'neighbours', v_neighbours, 'links', v_links
    );
end
$body$;
comment on function memos_private.propose_evolution is
    'What a memory changes about its neighbours by rules: those that share a keyword, two words of keywords or a tag with it are '
    'linked more strongly, get what is shared as categories and a mention of it in their context, and '
    'neighbours that share a tag get its other tags, too.';

create or replace function memos_private.require_note_of(p_user_id uuid, p_memory_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if exists (
        select from memos_private.memory_note as n where n.user_id = p_user_id and n.memory_id = p_memory_id
    ) then
        return;
    end if;
    if not exists (
        select from memos_private.memory as m where m.user_id = p_user_id and m.memory_id = p_memory_id
    ) then
        perform memos_private.refuse_missing_memory(p_memory_id);
    end if;
    raise exception 'the memory has no note yet'
        using errcode = memos_private.audit_failure('MO409'), detail = format('memory %s', p_memory_id),
            hint = 'make one with memos.make_note or memos.set_note, or wait for the maintenance';
end
$body$;
comment on function memos_private.require_note_of is 'Raises MO404 or MO409 for a memory without a note.';

create or replace function memos.evolve_memory(
    p_user_id uuid, p_memory_id uuid, p_dry_run boolean default false
)
returns table (evolution_id uuid, changes jsonb)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'evolve_memory', array[p_memory_id]);
    perform memos_private.require_consent(p_user_id, 'deriving');
    if p_dry_run is null then
        perform memos_private.refuse_argument('p_dry_run', 'it is null', 'true or false');
    end if;
    if not p_dry_run then
        perform memos_private.recall_memories(p_user_id, array[p_memory_id]);
    end if;
    perform memos_private.require_note_of(p_user_id, p_memory_id);
    changes := memos_private.propose_evolution(p_user_id, p_memory_id);
    if not p_dry_run then
        evolution_id := memos.apply_evolution(p_user_id, p_memory_id, changes, 'rules');
        update memos_private.memory_note as n
        set evolved = true
        where n.user_id = p_user_id and n.memory_id = p_memory_id;
    end if;
    return next;
end
$body$;
comment on function memos.evolve_memory is
    'Lets a memory change its nearest neighbours by rules (A-MEM; both need a note): what they share '
    'becomes a category of theirs, their context mentions it, links grow stronger. Returns what it '
    'changed, or with p_dry_run would, and the id for memos.undo_evolution (null: nothing changed). '
    'Errors: MO001, MO400, MO403, MO404, MO409, MO451.';

create or replace function memos_private.evolve_for(p_user_id uuid, p_memory_id uuid, p_changes jsonb, p_made_by text)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
set memos.context = ''
as $body$
declare
    v_evolution_id uuid;
begin
    perform memos_private.act_for(p_user_id);
    perform memos_private.enter_user_context(p_user_id);
    if not exists (
        select from memos_private.memory_note as n
        where n.user_id = p_user_id and n.memory_id = p_memory_id and not n.evolved
    ) then
        return null;
    end if;
    v_evolution_id := memos.apply_evolution(
        p_user_id, p_memory_id, coalesce(p_changes, memos_private.propose_evolution(p_user_id, p_memory_id)),
        p_made_by
    );
    update memos_private.memory_note as n
    set evolved = true
    where n.user_id = p_user_id and n.memory_id = p_memory_id;
    return v_evolution_id;
end
$body$;
comment on function memos_private.evolve_for is
    'memos.apply_evolution for the job: of a memory that nobody evolved meanwhile. null changes: by rules.';

create or replace function memos_admin.evolve_one(p_user_id uuid, p_memory_id uuid)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_provider memos_private.note_provider;
    v_changes jsonb;
    v_versions jsonb;
    v_detail text;
begin
    perform memos_private.audit(p_user_id, 'memos_admin.evolve_one', array[p_memory_id]);
    select * into v_provider from memos_private.note_provider;
    if v_provider.provider = 'http' then
        -- Asked first, while nothing is locked; what was shown must still be so when it is applied.
        select jsonb_agg(jsonb_build_object(
                'memory_id', n.memory_id, 'content', left(n.content, 4000), 'keywords', n.keywords,
                'tags', n.note_tags, 'context', n.context
            )), jsonb_object_agg(n.memory_id, n.version)
        into v_changes, v_versions
        from memos_private.evolution_neighbours(p_user_id, p_memory_id) as n;
        if v_changes is not null then
            v_changes := memos_private.ask_evolution(
                (
                    select memos_private.note_input(m)
                    from memos_private.memory as m
                    where m.user_id = p_user_id and m.memory_id = p_memory_id
                ), v_changes, v_provider.options
            );
            v_changes := v_changes || jsonb_build_object('neighbours', (
                select coalesce(jsonb_agg(
                    n || jsonb_build_object('version', v_versions -> (n ->> 'memory_id'))
                ), '[]')
                from jsonb_array_elements(v_changes -> 'neighbours') as n
            ));
        end if;
    end if;
    perform memos_private.evolve_for(
        p_user_id, p_memory_id, v_changes,
        case v_provider.provider when 'http' then v_provider.options ->> 'model' else 'rules' end
    );
    return true;
exception when sqlstate 'MO400' or sqlstate 'MO404' or sqlstate 'MO409' or sqlstate 'MO451' or io_error then
    get stacked diagnostics v_detail = pg_exception_detail;
    raise warning 'evolving the neighbours of a memory failed'
        using detail = concat_ws(': ', sqlerrm, nullif(v_detail, '')),
            hint = 'the next maintenance tries again';
    return sqlstate <> '58030';
end
$body$;
comment on function memos_admin.evolve_one is
    'Lets one memory evolve its neighbours, by rules or the language model: one transaction of '
    'memos_admin.evolve_memories. False when the provider failed.';

create or replace function memos_admin.memories_to_evolve(p_user_id uuid, p_limit int)
returns table (user_id uuid, memory_id uuid)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    -- Once their neighbours are known: a memory that waits for its vector or its links waits here, too.
    select n.user_id, n.memory_id
    from memos_private.memory_note as n
    cross join memos_private.note_provider as p
    where not n.evolved and p.provider <> 'off' and (p_user_id is null or n.user_id = p_user_id)
        and not exists (
            select from memos_private.link_queue as q
            where q.user_id = n.user_id and n.memory_id = any (q.memory_ids)
        )
        and not exists (
            select from memos_private.embedding_queue as q
            where q.user_id = n.user_id and q.memory_id = n.memory_id and q.failed_at is null
        )
        and memos_private.has_consent(n.user_id, 'deriving')
    -- All users take turns, so that one with many, or with some that fail each time, holds up nobody.
    order by row_number() over (partition by n.user_id order by n.memory_id), n.user_id
    limit p_limit
$body$;
comment on function memos_admin.memories_to_evolve is
    'Memories that have not evolved their neighbours yet, of users who consent to deriving, who take turns.';

-- Commits as it goes, so it can neither be a definer nor pin its search_path in a clause: it pins it
-- itself in each transaction and does nothing but call functions that are definers.
create or replace procedure memos_admin.evolve_memories(
    p_user_id uuid default null,
    p_limit   int default 1000,
    p_at_most interval default null
)
language plpgsql
as $body$
declare
    v_memory record;
    v_go_on pg_catalog.bool;
    v_end constant pg_catalog.timestamptz :=
        coalesce(pg_catalog.clock_timestamp() operator(pg_catalog.+) p_at_most, 'infinity');
begin
    if p_limit is null or p_limit operator(pg_catalog.<) 1 then
        raise exception 'bad argument: p_limit'
            using errcode = 'MO400', detail = 'it is null or less than 1', hint = 'a whole number from 1';
    end if;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    for v_memory in
        select m.user_id, m.memory_id from memos_admin.memories_to_evolve(p_user_id, p_limit) as m
    loop
        perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        v_go_on := memos_admin.evolve_one(v_memory.user_id, v_memory.memory_id);
        commit;
        exit when not v_go_on or pg_catalog.clock_timestamp() operator(pg_catalog.>) v_end;
    end loop;
end
$body$;
comment on procedure memos_admin.evolve_memories is
    'Lets at most p_limit new memories, of one user or of all, evolve their neighbours, each in a '
    'transaction of its own. Not part of the maintenance unless configure_note_provider says p_evolve.';

create or replace function memos_admin.evolves()
returns boolean
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select p.evolves from memos_private.note_provider as p
$body$;
comment on function memos_admin.evolves is 'Whether maintenance lets new memories evolve their neighbours.';
