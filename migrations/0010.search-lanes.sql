set local role memos_owner;

-- What the memories before and after one in its session are, and which session is the best.
create index if not exists memory_session_idx
    on memos_private.memory (user_id, session_id, position, memory_id) where session_id is not null;

drop type if exists memos_private.candidate cascade;
create type memos_private.candidate as (
    memory_id  uuid,
    score      double precision,
    dense      double precision,
    lexical    double precision,
    context    double precision,
    session    double precision,
    graph      double precision,
    time       double precision,
    importance double precision,
    recency    double precision
);
comment on type memos_private.candidate is
    'A memory that may answer a search: its score, the parts that add up to it, and the two factors on them.';

drop type if exists memos_private.search_weights cascade;
create type memos_private.search_weights as (
    dense      double precision,
    lexical    double precision,
    context    double precision,
    graph      double precision,
    time       double precision,
    importance double precision,
    recency    double precision
);
comment on type memos_private.search_weights is
    'How much each lane and factor of a search counts.';

create table if not exists memos_private.search_profile (
    name        text not null,
    description text not null,
    weights     jsonb not null,
    rrf_k       int not null,
    constraint search_profile_pkey primary key (name),
    constraint profile_weights_are_an_object check (jsonb_typeof(weights) = 'object'),
    constraint rrf_k_is_positive check (rrf_k between 1 and 10000)
);
comment on table memos_private.search_profile is
    'Weights of the lanes and k of the reciprocal rank fusion for kinds of questions, by name.';
insert into memos_private.search_profile (name, description, weights, rrf_k)
values
    ('error_code', 'A code out of a manual or a log.', '{"dense": 0.2, "lexical": 0.7}', 35),
    ('part_number', 'A part, an order or a model number.', '{"dense": 0.15, "lexical": 0.8}', 35),
    ('troubleshooting', 'What is wrong, and what to do.', '{"dense": 0.6, "lexical": 0.3}', 55),
    ('conceptual', 'How and why something works.', '{"dense": 0.65, "lexical": 0.25}', 70),
    ('procedure', 'The steps to do something.', '{"dense": 0.5, "lexical": 0.4}', 55),
    ('question', 'A plain question about what was said.', '{"dense": 0.5, "lexical": 0.5}', 50)
on conflict (name) do nothing;
alter table memos_private.search_profile enable row level security;
alter table memos_private.search_profile force row level security;
drop policy if exists owner_reads_all on memos_private.search_profile;
create policy owner_reads_all on memos_private.search_profile to memos_owner using (true);
drop policy if exists maintenance_configures on memos_private.search_profile;
create policy maintenance_configures on memos_private.search_profile to memos_maintenance using (true);
grant select, insert, update, delete on memos_private.search_profile to memos_maintenance;

-- The search is put together anew from functions of other names, arguments and rows.
drop function if exists memos.search_memories(
    uuid, text, public.halfvec, text, int, int, text[], text[], jsonb, text, timestamptz, timestamptz,
    timestamptz, timestamptz, text, jsonb, int, boolean, boolean, boolean, text
);
do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid
        from pg_catalog.pg_proc as p
        where p.pronamespace = 'memos_private'::regnamespace
            and p.proname in (
                'find_memories', 'eligible_versions', 'dense_lane', 'fuse_calibrated',
                'fuse_reciprocal_rank', 'explain_lanes', 'explain_lane', 'merge_lanes', 'lane_weights',
                'mean_with_zeros', 'deviation_with_zeros', 'fit_budget', 'ranked_contents',
                'require_valid_search'
            )
    loop
        execute format('drop function %s', v_function);
    end loop;
end
$$;
drop type if exists memos_private.ranked;
