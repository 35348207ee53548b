set local role memos_owner;

create table if not exists memos_private.cache_namespace (
    name             text not null,
    description      text not null,
    lifetime         interval not null,
    failure_lifetime interval not null,
    stale_lifetime   interval not null default '0',
    jitter           real not null default 0.1,
    max_entries      int not null,
    max_bytes        bigint not null,
    max_total_bytes  bigint not null default 1073741824,
    scope            text not null default 'both',
    key_form         text not null default 'exact',
    key_settings     text[] not null default '{}',
    keep             text not null default 'newest',
    constraint cache_namespace_pkey primary key (name),
    constraint namespace_is_a_word check (name ~ '^[a-z][a-z0-9_]{0,31}$'),
    constraint lifetimes_are_positive check (
        lifetime > '0' and lifetime <= '366 days' and failure_lifetime > '0'
        and failure_lifetime <= '366 days' and stale_lifetime >= '0' and stale_lifetime <= '366 days'
    ),
    constraint jitter_is_at_most_half check (jitter between 0 and 0.5),
    constraint bounds_are_positive check (max_entries > 0 and max_bytes > 0 and max_total_bytes > 0),
    constraint cache_scope_is_known check (scope in ('user', 'shared', 'both')),
    constraint key_form_is_known check (key_form in ('exact', 'text', 'url')),
    constraint keep_is_known check (keep in ('newest', 'confident'))
);
comment on table memos_private.cache_namespace is
    'What the caches hold, and by which rules. For a DBA to change: the next write goes by the new rules.';
comment on column memos_private.cache_namespace.failure_lifetime is 'Of entries put with p_success => false.';
comment on column memos_private.cache_namespace.stale_lifetime is
    'How long an expired entry is kept for callers who rather take it than wait for a new one.';
comment on column memos_private.cache_namespace.jitter is
    'Lifetimes are shortened by up to this fraction, so that what was put at once does not expire at once.';
comment on column memos_private.cache_namespace.max_entries is
    'Of one user, and of the shared entries; above it the least recently used go. So does max_bytes.';
comment on column memos_private.cache_namespace.max_total_bytes is
    'Of all users together; maintenance sees to it.';
comment on column memos_private.cache_namespace.scope is
    'Whose entries it takes: each user''s own (user), those that all users share (shared), or both.';
comment on column memos_private.cache_namespace.key_form is
    'What makes two keys the same: every byte (exact), words whatever their case and spacing (text), or '
    'the resource they name (url).';
comment on column memos_private.cache_namespace.key_settings is
    'Names of settings that enter the key: the same question to another model is another entry.';
comment on column memos_private.cache_namespace.keep is
    'confident: an entry gives way only to one with as much confidence, or when it has expired.';

insert into memos_private.cache_namespace (
    name, description, lifetime, failure_lifetime, stale_lifetime, max_entries, max_bytes, key_form,
    key_settings, keep
) values
    ('content', 'Pages and documents by URL.', '1 hour', '5 minutes', '1 hour', 10000, 268435456, 'url',
        '{}', 'newest'),
    ('query', 'Answers to questions, found again by the same words or by meaning.', '15 minutes',
        '1 minute', '15 minutes', 1000, 67108864, 'text', '{model,preset,language}', 'newest'),
    ('finding', 'What was found out, by its words.', '1 day', '5 minutes', '0', 1000, 33554432, 'text',
        '{}', 'confident'),
    ('subquery', 'Answers to parts of questions.', '1 day', '5 minutes', '0', 500, 33554432, 'text',
        '{model}', 'confident'),
    ('mission', 'How a task was taken apart, and how often that went well.', '7 days', '1 hour', '0', 500,
        16777216, 'text', '{}', 'newest'),
    ('expansion', 'Other wordings of a query.', '7 days', '5 minutes', '0', 10000, 16777216, 'text',
        '{model,language}', 'newest')
on conflict (name) do nothing;

alter table memos_private.cache_namespace enable row level security;
alter table memos_private.cache_namespace force row level security;
drop policy if exists owner_reads_all on memos_private.cache_namespace;
create policy owner_reads_all on memos_private.cache_namespace to memos_owner using (true);
drop policy if exists maintenance_configures on memos_private.cache_namespace;
create policy maintenance_configures on memos_private.cache_namespace to memos_maintenance using (true);
grant select, insert, update, delete on memos_private.cache_namespace to memos_maintenance;

-- Unlogged: a cache writes no WAL, is empty after a crash, and is not there on a standby.
create unlogged table if not exists memos_private.cache_entry (
    user_id      uuid not null,
    key_hash     bytea not null,
    namespace    text not null,
    key          text not null,
    settings     text not null,
    value        jsonb not null,
    stamp        uuid not null,
    seen         pg_snapshot,
    tags         text[] not null,
    success      boolean not null,
    confidence   real,
    success_rate real,
    outcomes     int not null default 0,
    bytes        int not null,
    stored_at    timestamptz not null,
    used_at      timestamptz not null,
    expires_at   timestamptz not null,
    constraint cache_entry_pkey primary key (user_id, key_hash)
);
-- Compressing and decompressing 20 kB takes longer than reading it.
alter table memos_private.cache_entry alter column value set storage external;
create index if not exists cache_entry_used_idx on memos_private.cache_entry (user_id, namespace, used_at);
create index if not exists cache_entry_expires_idx on memos_private.cache_entry (expires_at);
comment on table memos_private.cache_entry is
    'What is cached. Entries of the user 00000000-0000-0000-0000-000000000000 are shared by all users.';
comment on column memos_private.cache_entry.key_hash is 'SHA-256 of namespace, settings and normalised key.';
comment on column memos_private.cache_entry.settings is 'Those settings of the caller that enter the key.';
comment on column memos_private.cache_entry.stamp is
    'The generation: another one for each value. A copy elsewhere is good while the stamp is the same.';
comment on column memos_private.cache_entry.seen is
    'What the value was made from saw the transactions that this snapshot sees: an invalidation by any '
    'other one makes it stale. Null when no lease and no tag says what it was made from.';
comment on column memos_private.cache_entry.used_at is
    'Last use, give or take a sixteenth of the lifetime: reading writes no more often than that.';
comment on column memos_private.cache_entry.success_rate is
    'Exponential moving average of the outcomes reported by cache_record_outcome.';

create unlogged table if not exists memos_private.cache_tag (
    user_id  uuid not null,
    tag      text not null,
    key_hash bytea not null,
    constraint cache_tag_pkey primary key (user_id, tag, key_hash)
);
comment on table memos_private.cache_tag is
    'Which entries go when something changes; the id of a memory is a tag.';

do $$
begin
    if to_regtype('memos_private.question_facts') is null then
        create type memos_private.question_facts as (
            words   text[],
            content text[],
            numbers text[],
            names   text[],
            quotes  text[],
            sides   text[],
            negated boolean
        );
    end if;
end
$$;
comment on type memos_private.question_facts is
    'What two questions must agree in to be the same, whatever their wording.';

create unlogged table if not exists memos_private.cache_question (
    user_id   uuid not null,
    namespace text not null,
    key_hash  bytea not null,
    settings  text not null,
    model     text not null,
    question  text not null,
    facts     memos_private.question_facts not null,
    embedding public.halfvec not null,
    constraint cache_question_pkey primary key (user_id, namespace, key_hash),
    constraint question_vector_is_not_zero check (public.l2_norm(embedding) > 0)
);
alter table memos_private.cache_question alter column embedding set storage plain;
comment on table memos_private.cache_question is
    'The questions behind entries, to be found by meaning: those of one user are compared one by one.';
comment on column memos_private.cache_question.model is
    'Embedding model of the vector; empty where none is registered.';

create unlogged table if not exists memos_private.cache_lease (
    user_id    uuid not null,
    key_hash   bytea not null,
    namespace  text not null,
    lease      uuid not null,
    seen       pg_snapshot not null,
    leased_at  timestamptz not null,
    expires_at timestamptz not null,
    constraint cache_lease_pkey primary key (user_id, key_hash)
);
comment on table memos_private.cache_lease is
    'Who is filling a missing entry: one worker at a time, until it puts the entry or its time is up.';
comment on column memos_private.cache_lease.seen is
    'What was committed before the filling began, so that a value made from older data is told apart.';

create unlogged table if not exists memos_private.cache_mark (
    user_id    uuid not null,
    mark       text not null,
    prefix     text not null default '',
    xid        xid8 not null,
    noticed_at timestamptz,
    constraint cache_mark_pkey primary key (user_id, mark, prefix)
);
comment on table memos_private.cache_mark is
    'Recent invalidations. The transaction that invalidates removes the entries that it sees; a value '
    'made from data of before, and put while it had not committed, is told by its mark.';
comment on column memos_private.cache_mark.noticed_at is
    'When maintenance first saw it committed; it goes when no filling can be as old as that.';

create unlogged table if not exists memos_private.cache_usage (
    user_id   uuid not null,
    namespace text not null,
    slot      uuid not null,
    entries   bigint not null,
    bytes     bigint not null,
    constraint cache_usage_pkey primary key (user_id, namespace, slot)
);
comment on table memos_private.cache_usage is
    'How much a user holds in a namespace: the sum of its slots. A writer takes a slot that nobody has '
    'locked, or a new one, so that none waits for another.';

create unlogged table if not exists memos_private.cache_counter (
    namespace  text not null,
    bucket     timestamptz not null,
    slot       uuid not null,
    hits       bigint not null default 0,
    local_hits bigint not null default 0,
    misses     bigint not null default 0,
    fills      bigint not null default 0,
    waits      bigint not null default 0,
    evictions  bigint not null default 0,
    constraint cache_counter_pkey primary key (namespace, bucket, slot)
);
comment on table memos_private.cache_counter is
    'What happened in each five minutes, summed over slots that nobody waits for.';
alter table memos_private.cache_counter enable row level security;
alter table memos_private.cache_counter force row level security;
drop policy if exists owner_reads_all on memos_private.cache_counter;
create policy owner_reads_all on memos_private.cache_counter to memos_owner using (true);
drop policy if exists maintenance_sees_all on memos_private.cache_counter;
create policy maintenance_sees_all on memos_private.cache_counter to memos_maintenance using (true);

select memos_private.protect_user_table('memos_private.cache_entry');
select memos_private.protect_user_table('memos_private.cache_tag');
select memos_private.protect_user_table('memos_private.cache_question');
select memos_private.protect_user_table('memos_private.cache_lease');
select memos_private.protect_user_table('memos_private.cache_mark');
select memos_private.protect_user_table('memos_private.cache_usage');
grant select, insert, update, delete
    on memos_private.cache_entry, memos_private.cache_tag, memos_private.cache_question,
        memos_private.cache_lease, memos_private.cache_mark, memos_private.cache_usage,
        memos_private.cache_counter
    to memos_maintenance;

-- The words by which two questions that look alike to an embedding model are told apart.
create table if not exists memos_private.question_word (
    word    text not null,
    kind    text not null,
    meaning text not null,
    constraint question_word_pkey primary key (word, kind)
);
comment on table memos_private.question_word is
    'Vocabulary of the guard of the semantic cache (English; a DBA may add words of other languages).';
comment on column memos_private.question_word.kind is
    'number, unit, negation, synonym, opener (says nothing, and begins a sentence with a capital letter '
    'without being a name), or an '
    'axis: words of different meaning on one axis make two questions different. On an axis written with '
    '"=", so does a word that only one of them has.';
insert into memos_private.question_word (word, kind, meaning)
select w.word, g.kind, g.meaning
from (values
    ('synonym', 'fix', 'fix repair mend'),
    ('synonym', 'tall', 'tall height high'),
    ('synonym', 'far', 'far distance'),
    ('synonym', 'often', 'often frequently frequent'),
    ('synonym', 'eat', 'eat ate eaten'),
    ('synonym', 'author', 'author wrote write writer written'),
    ('synonym', 'speed', 'speed fast quick quickest quickly'),
    ('synonym', 'treat', 'treat treatment'),
    ('synonym', 'big', 'big large'),
    ('synonym', 'picture', 'picture photo image'),
    ('synonym', 'car', 'car automobile'),
    ('synonym', 'movie', 'movie film'),
    ('synonym', 'doctor', 'doctor physician'),
    ('synonym', 'phone', 'phone telephone'),
    ('synonym', 'cost', 'cost price'),
    ('synonym', 'help', 'help assist'),
    ('synonym', 'make', 'make create made'),
    ('synonym', 'use', 'use utilize'),
    ('synonym', 'begin', 'begin start'),
    ('synonym', 'buy', 'buy purchase bought'),
    ('synonym', 'temperature', 'temperature point'),
    ('synonym', 'city', 'city town'),
    ('synonym', 'teach', 'teach train'),
    ('synonym', 'reason', 'reason cause'),
    ('synonym', 'go', 'go went gone'),
    ('synonym', 'say', 'say said'),
    ('synonym', 'live', 'live living lived'),
    ('synonym', 'look', 'look looks'),
    ('synonym', 'contain', 'contain contains have'),
    ('amount', 'much', 'much many lots plenty'),
    ('amount', 'little', 'little few scarcely'),
    ('visible', 'show', 'show display reveal visible unhide'),
    ('visible', 'hide', 'hide hidden conceal invisible'),
    ('increase', 'increase', 'expand enlarge widen extend highest rises raises lengthen multiply inflate speed accelerate'),
    ('increase', 'decrease', 'shrink contract narrow lowest shorten divide deflate slow decelerate'),
    ('particle', 'up', 'up'),
    ('particle', 'off', 'off'),
    ('particle', 'down', 'down'),
    ('particle', 'on', 'on'),
    ('absorb', 'absorb', 'absorb attract'),
    ('absorb', 'release', 'release emit repel'),
    ('success', 'success', 'success profit benefit asset gain'),
    ('success', 'loss', 'loss deficit harm liability failure'),
    ('deep', 'deep', 'deep thick dense wide'),
    ('deep', 'shallow', 'shallow thin sparse narrow'),
    ('wet', 'wet', 'wet moist humid'),
    ('wet', 'dry', 'dry arid'),
    ('sweet', 'sweet', 'sweet'),
    ('sweet', 'sour', 'sour bitter salty'),
    ('rich', 'rich', 'rich wealthy'),
    ('rich', 'poor', 'poor'),
    ('young', 'young', 'young younger youngest new newer'),
    ('young', 'old', 'old older elderly'),
    ('light', 'light', 'light bright day'),
    ('light', 'dark', 'dark dim'),
    ('quiet', 'quiet', 'quiet silent silence'),
    ('quiet', 'loud', 'loud noisy'),
    ('hard', 'hard', 'hard solid firm rigid'),
    ('hard', 'soft', 'soft liquid flexible'),
    ('clean', 'clean', 'clean pure'),
    ('clean', 'dirty', 'dirty contaminated'),
    ('friend', 'friend', 'friend ally'),
    ('friend', 'enemy', 'enemy opponent rival'),
    ('sleep', 'sleep', 'sleep asleep'),
    ('sleep', 'wake', 'wake awake'),
    ('remember', 'remember', 'remember recall memorize'),
    ('remember', 'forget', 'forget'),
    ('attack', 'attack', 'attack attacker offense'),
    ('attack', 'defend', 'defend defender defense protect'),
    ('borrow', 'borrow', 'borrow borrower tenant debtor buyer'),
    ('borrow', 'lend', 'lend lender landlord creditor seller'),
    ('teach', 'teach', 'teach teacher'),
    ('teach', 'learn', 'learn student pupil'),
    ('ask', 'ask', 'ask question'),
    ('ask', 'answer', 'answer reply'),
    ('arrival', 'import', 'import immigrate'),
    ('arrival', 'export', 'export emigrate'),
    ('vertical', 'vertical', 'vertical vertically column'),
    ('vertical', 'horizontal', 'horizontal horizontally row'),
    ('odd', 'odd', 'odd'),
    ('odd', 'even', 'even'),
    ('acid', 'acid', 'acid acidic'),
    ('acid', 'base', 'alkaline alkali'),
    ('input', 'input', 'input inbound incoming'),
    ('input', 'output', 'output outbound outgoing'),
    ('artery', 'artery', 'artery'),
    ('artery', 'vein', 'vein'),
    ('spend', 'spend', 'spend'),
    ('spend', 'save', 'save earn'),
    ('guilty', 'guilty', 'guilty'),
    ('guilty', 'innocent', 'innocent'),
    ('real', 'real', 'real genuine original authentic'),
    ('real', 'fake', 'fake counterfeit copy artificial'),
    ('temporary', 'temporary', 'temporary temporarily'),
    ('temporary', 'permanent', 'permanent permanently'),
    ('major', 'major', 'major majority'),
    ('major', 'minor', 'minor minority'),
    ('ascend', 'ascend', 'ascend ascending climb uphill'),
    ('ascend', 'descend', 'descend descending downhill'),
    ('mandatory', 'mandatory', 'mandatory required compulsory must'),
    ('mandatory', 'optional', 'optional voluntary may'),
    ('local', 'local', 'local domestic national'),
    ('local', 'foreign', 'foreign remote international global'),
    ('active', 'active', 'active busy'),
    ('active', 'idle', 'idle passive inactive'),
    ('fresh', 'fresh', 'fresh raw'),
    ('fresh', 'cooked', 'cooked stale rotten frozen'),
    ('marry', 'marry', 'marry marriage married wedding'),
    ('marry', 'divorce', 'divorce divorced'),
    ('hire', 'hire', 'hire hired employ'),
    ('hire', 'fire', 'fire fired dismiss resign'),
    ('praise', 'praise', 'praise reward compliment'),
    ('praise', 'punish', 'punish criticize blame insult'),
    ('inhale', 'inhale', 'inhale'),
    ('inhale', 'exhale', 'exhale'),
    ('thaw', 'thaw', 'thaw melt defrost'),
    ('thaw', 'freeze', 'freeze'),
    ('present', 'present', 'present'),
    ('present', 'absent', 'absent'),
    ('max', 'maximize', 'maximize maximise'),
    ('max', 'minimize', 'minimize minimise'),
    ('ceiling', 'ceiling', 'ceiling top roof'),
    ('ceiling', 'floor', 'floor bottom basement'),
    ('expert', 'expert', 'expert advanced professional'),
    ('expert', 'beginner', 'beginner basic novice amateur'),
    ('abroad', 'home', 'home'),
    ('abroad', 'abroad', 'abroad'),
    ('gas', 'gas', 'gas petrol'),
    ('gas', 'diesel', 'diesel'),
    ('ac', 'ac', 'ac'),
    ('ac', 'dc', 'dc'),
    ('cat', 'cat', 'cat cats kitten'),
    ('cat', 'dog', 'dog dogs puppy'),
    ('number', '-', 'minus'),
    ('open', 'open', 'open opened opening unlock reopen'),
    ('open', 'close', 'close closed closing shut shutting lock'),
    ('start', 'start', 'start begin began begun launch resume commence initiate enable activate'),
    ('start', 'stop', 'stop end quit halt finish terminate pause discontinue disable deactivate cease'),
    ('increase', 'increase',
        'increase raise raised higher high rise rising grow gain more up maximum max upper boost '
        'heavier bigger larger longer strengthen'),
    ('increase', 'decrease',
        'decrease reduce lower low fall falling shrink lose losing lost less fewer down minimum min '
        'drop lighter smaller shorter weaken'),
    ('before', 'before', 'before earlier prior until'),
    ('before', 'after', 'after later since following'),
    ('switch', 'on', 'on'),
    ('switch', 'off', 'off'),
    ('add', 'add', 'add insert attach include install append connect mount'),
    ('add', 'remove', 'remove delete detach exclude uninstall erase disconnect unmount'),
    ('buy', 'buy', 'buy bought purchase'),
    ('buy', 'sell', 'sell sold sale'),
    ('send', 'send', 'send sent export upload push pay paid give gave lend lent'),
    ('send', 'receive', 'receive received import download pull owe owed take took taken borrow borrowed'),
    ('good', 'good',
        'good best better safe healthy benefit benefits advantage advantages pros positive right '
        'correct true'),
    ('good', 'bad',
        'bad worst worse unsafe dangerous unhealthy risk risks harm disadvantage disadvantages cons '
        'negative wrong incorrect false'),
    ('first', 'first', 'first oldest'),
    ('first', 'last', 'last final latest newest'),
    ('hot', 'hot', 'hot warm heat heating'),
    ('hot', 'cold', 'cold cool freeze freezing cooling'),
    ('win', 'win', 'win won wins winner winning succeed success pass passed'),
    ('win', 'lose', 'lose lost loses loser losing fail failed failure'),
    ('accept', 'accept', 'accept approve allow allowed permit permitted agree'),
    ('accept', 'reject',
        'reject refuse deny forbid forbidden prohibit prohibited ban banned decline disagree'),
    ('inside', 'inside', 'inside in indoors within internal'),
    ('inside', 'outside', 'outside out outdoors external'),
    ('left', 'left', 'left'),
    ('left', 'right', 'right'),
    ('most', 'most', 'most'),
    ('most', 'least', 'least'),
    ('all', 'all', 'all every everyone everything always'),
    ('all', 'some', 'some sometimes someone something'),
    ('fast', 'fast', 'fast faster quick quickly speed'),
    ('fast', 'slow', 'slow slower slowly'),
    ('full', 'full', 'full fill'),
    ('full', 'empty', 'empty drain'),
    ('strong', 'strong', 'strong stronger'),
    ('strong', 'weak', 'weak weaker'),
    ('love', 'love', 'love like enjoy prefer'),
    ('love', 'hate', 'hate dislike avoid'),
    ('person', 'i', 'i me my mine myself'),
    ('person', 'you', 'you your yours yourself'),
    ('person', 'he', 'he him his himself'),
    ('person', 'she', 'she her hers herself'),
    ('person', 'we', 'we us our ours'),
    ('person', 'they', 'they them their theirs'),
    ('family', 'mother', 'mother mum mom'),
    ('family', 'father', 'father dad'),
    ('family', 'son', 'son'),
    ('family', 'daughter', 'daughter'),
    ('family', 'brother', 'brother'),
    ('family', 'sister', 'sister'),
    ('family', 'wife', 'wife'),
    ('family', 'husband', 'husband'),
    ('family', 'uncle', 'uncle'),
    ('family', 'aunt', 'aunt'),
    ('period', 'hourly', 'hourly'),
    ('period', 'day', 'day daily'),
    ('period', 'week', 'week weekly'),
    ('period', 'month', 'month monthly'),
    ('period', 'year', 'year yearly annually'),
    ('period', 'hour', 'hour'),
    ('period', 'minute', 'minute'),
    ('sex', 'male', 'male man men boy'),
    ('sex', 'female', 'female woman women girl'),
    ('age', 'adult', 'adult adults'),
    ('age', 'child', 'child children kid kids'),
    ('age', 'baby', 'baby babies infant infants'),
    ('arrive', 'arrive', 'arrive arrival enter come join'),
    ('arrive', 'leave', 'leave departure depart exit go'),
    ('live', 'born', 'born birth alive'),
    ('live', 'die', 'die died death dead'),
    ('direction', 'north', 'north'),
    ('direction', 'south', 'south'),
    ('direction', 'east', 'east'),
    ('direction', 'west', 'west'),
    ('read', 'read', 'read'),
    ('read', 'write', 'write'),
    ('question', 'who', 'who whom whose'),
    ('question', 'when', 'when'),
    ('question', 'where', 'where'),
    ('question', 'why', 'why'),
    ('save', 'save', 'save keep store'),
    ('save', 'discard', 'discard delete remove'),
    ('front', 'front', 'front forward forwards ahead'),
    ('front', 'back', 'back backward backwards behind'),
    ('above', 'above', 'above over'),
    ('above', 'below', 'below under beneath'),
    ('same', 'same', 'same equal'),
    ('same', 'different', 'different unequal'),
    ('public', 'public', 'public'),
    ('public', 'private', 'private'),
    ('early', 'early', 'early soon'),
    ('early', 'late', 'late'),
    ('expensive', 'expensive', 'expensive costly dear dearer'),
    ('expensive', 'cheap', 'cheap cheaper cheapest inexpensive'),
    ('scale', 'celsius', 'celsius'),
    ('scale', 'fahrenheit', 'fahrenheit'),
    ('easy', 'easy', 'easy simple'),
    ('easy', 'hard', 'hard difficult'),
    ('colour', 'red', 'red'),
    ('colour', 'green', 'green'),
    ('colour', 'blue', 'blue'),
    ('colour', 'yellow', 'yellow'),
    ('colour', 'black', 'black'),
    ('colour', 'white', 'white'),
    ('colour', 'orange', 'orange'),
    ('colour', 'purple', 'purple'),
    ('colour', 'brown', 'brown'),
    ('colour', 'grey', 'grey gray'),
    ('legality', 'legal', 'legal lawful'),
    ('legality', 'illegal', 'illegal unlawful'),
    ('cause', 'cause', 'cause causes trigger'),
    ('cause', 'prevent', 'prevent prevents cure treat treatment'),
    ('create', 'create', 'create make build'),
    ('create', 'destroy', 'destroy break demolish'),
    ('encrypt', 'encrypt', 'encrypt encode compress'),
    ('encrypt', 'decrypt', 'decrypt decode decompress'),
    ('tight', 'tighten', 'tighten tight'),
    ('tight', 'loosen', 'loosen loose'),
    ('=weekday', 'monday', 'monday'),
    ('=weekday', 'tuesday', 'tuesday'),
    ('=weekday', 'wednesday', 'wednesday'),
    ('=weekday', 'thursday', 'thursday'),
    ('=weekday', 'friday', 'friday'),
    ('=weekday', 'saturday', 'saturday'),
    ('=weekday', 'sunday', 'sunday'),
    ('=month', 'january', 'january'),
    ('=month', 'february', 'february'),
    ('=month', 'march', 'march'),
    ('=month', 'april', 'april'),
    ('=month', 'may', 'may'),
    ('=month', 'june', 'june'),
    ('=month', 'july', 'july'),
    ('=month', 'august', 'august'),
    ('=month', 'september', 'september'),
    ('=month', 'october', 'october'),
    ('=month', 'november', 'november'),
    ('=month', 'december', 'december'),
    ('=calendar', 'today', 'today now currently tonight'),
    ('=calendar', 'tomorrow', 'tomorrow'),
    ('=calendar', 'yesterday', 'yesterday'),
    ('=relative', 'next', 'next upcoming'),
    ('=relative', 'previous', 'previous past'),
    ('=relative', 'this', 'this current'),
    ('=daytime', 'morning', 'morning breakfast'),
    ('=daytime', 'noon', 'noon lunch midday'),
    ('=daytime', 'afternoon', 'afternoon'),
    ('=daytime', 'evening', 'evening dinner'),
    ('=daytime', 'night', 'night midnight'),
    ('=season', 'spring', 'spring'),
    ('=season', 'summer', 'summer'),
    ('=season', 'autumn', 'autumn fall'),
    ('=season', 'winter', 'winter'),
    ('number', '0', 'zero'),
    ('number', '2', 'two both pair'),
    ('number', '3', 'three'),
    ('number', '4', 'four'),
    ('number', '5', 'five'),
    ('number', '6', 'six'),
    ('number', '7', 'seven'),
    ('number', '8', 'eight'),
    ('number', '9', 'nine'),
    ('number', '10', 'ten'),
    ('number', '11', 'eleven'),
    ('number', '12', 'twelve dozen'),
    ('number', '13', 'thirteen'),
    ('number', '14', 'fourteen'),
    ('number', '15', 'fifteen'),
    ('number', '16', 'sixteen'),
    ('number', '17', 'seventeen'),
    ('number', '18', 'eighteen'),
    ('number', '19', 'nineteen'),
    ('number', '20', 'twenty'),
    ('number', '30', 'thirty'),
    ('number', '40', 'forty'),
    ('number', '50', 'fifty'),
    ('number', '60', 'sixty'),
    ('number', '70', 'seventy'),
    ('number', '80', 'eighty'),
    ('number', '90', 'ninety'),
    ('number', '100', 'hundred'),
    ('number', '1000', 'thousand'),
    ('number', '1000000', 'million'),
    ('number', '1000000000', 'billion'),
    ('number', '1/2', 'half'),
    ('number', '1/4', 'quarter'),
    ('number', 'x1', 'once'),
    ('number', 'x2', 'twice double'),
    ('number', 'x3', 'thrice triple'),
    ('number', '3rd', 'third'),
    ('number', '4th', 'fourth'),
    ('number', '5th', 'fifth'),
    ('number', '1', 'single one'),
    ('unit', 'mg', 'mg milligram milligrams'),
    ('unit', 'g', 'g gram grams gramme grammes'),
    ('unit', 'kg', 'kg kilo kilos kilogram kilograms'),
    ('unit', 'mcg', 'mcg ug µg microgram micrograms'),
    ('unit', 'ml', 'ml milliliter milliliters millilitre millilitres'),
    ('unit', 'l', 'l liter liters litre litres'),
    ('unit', 'mmol', 'mmol'),
    ('unit', 'iu', 'iu'),
    ('unit', 'mm', 'mm millimeter millimeters millimetres'),
    ('unit', 'cm', 'cm centimeter centimeters centimetres'),
    ('unit', 'm', 'm meter meters metre metres'),
    ('unit', 'km', 'km kilometer kilometers kilometres'),
    ('unit', 'inch', 'inch inches'),
    ('unit', 'ft', 'ft foot feet'),
    ('unit', 'mile', 'mile miles'),
    ('unit', 'yd', 'yd yard yards'),
    ('unit', 'lb', 'lb lbs pound pounds'),
    ('unit', 'oz', 'oz ounce ounces'),
    ('unit', 'v', 'v volt volts'),
    ('unit', 'kv', 'kv'),
    ('unit', 'ma', 'ma'),
    ('unit', 'amp', 'amp amps ampere amperes'),
    ('unit', 'w', 'w watt watts'),
    ('unit', 'kw', 'kw kilowatt kilowatts'),
    ('unit', 'kwh', 'kwh'),
    ('unit', 'hz', 'hz hertz'),
    ('unit', 'khz', 'khz'),
    ('unit', 'mhz', 'mhz'),
    ('unit', 'ghz', 'ghz'),
    ('unit', 'kb', 'kb'),
    ('unit', 'mb', 'mb megabyte megabytes'),
    ('unit', 'gb', 'gb gigabyte gigabytes'),
    ('unit', 'tb', 'tb terabyte terabytes'),
    ('unit', 'ms', 'ms millisecond milliseconds'),
    ('unit', 'sec', 'sec secs second seconds'),
    ('unit', 'min', 'min mins minute minutes'),
    ('unit', 'h', 'h hr hrs hour hours'),
    ('unit', 'day', 'day days'),
    ('unit', 'week', 'week weeks'),
    ('unit', 'month', 'month months'),
    ('unit', 'year', 'year years'),
    ('unit', 'am', 'am'),
    ('unit', 'pm', 'pm'),
    ('unit', '%', 'percent percentage'),
    ('unit', 'eur', 'eur euro euros'),
    ('unit', 'usd', 'usd dollar dollars'),
    ('unit', 'psi', 'psi'),
    ('unit', 'bar', 'bar'),
    ('unit', 'kpa', 'kpa'),
    ('unit', 'rpm', 'rpm'),
    ('unit', 'c', 'c celsius'),
    ('unit', 'f', 'f fahrenheit'),
    ('unit', 'cal', 'cal calories'),
    ('unit', 'kcal', 'kcal'),
    ('unit', 'degree', 'degree degrees'),
    ('unit', 'pill', 'pill pills tablet tablets'),
    ('unit', 'cup', 'cup cups'),
    ('unit', 'times', 'times'),
    ('negation', 'not',
        'not no never none nobody nothing neither nor nowhere without cannot hardly barely unless '
        'except lack lacking'),
    ('opener', '',
        'a about according after all also am an and any are as at be because been before being but by '
        'calculate can check compare convert could count define describe did do does each every '
        'explain find first for from generate get give had has have he hello help her here hey hi his '
        'how i if in install into is it its keep let like list look make many may me might more most '
        'much must my name need no not now of on one only open or our outline please provide put '
        'recommend remind remove reset run say send set shall she should show since so some start '
        'stop suggest summarise summarize take teach tell than thank thanks that the their them then '
        'there these they this those to translate turn under until up update us use using was we were '
        'what whats when where whether which while who whom whose why will with without would write '
        'yes you your increase decrease reduce raise lower close shut delete add create enable '
        'disable isn''t aren''t don''t can''t won''t didn''t doesn''t wasn''t couldn''t shouldn''t i''m i''ve i''d '
        'i''ll what''s where''s who''s how''s it''s that''s there''s let''s you''re we''re they''re ever steps '
        'way ways instructions tips advice information details reason reasons definition meaning cost '
        'price difference')
) as g (kind, meaning, words)
cross join lateral string_to_table(g.words, ' ') as w (word)
on conflict (word, kind) do nothing;
-- Their stems, too: "rises" stands where "rise" stands.
insert into memos_private.question_word (word, kind, meaning)
select distinct on (s.stem, w.kind) s.stem, w.kind, w.meaning
from memos_private.question_word as w
cross join lateral unnest(ts_lexize('pg_catalog.english_stem', w.word)) as s (stem)
where w.kind not in ('number', 'unit', 'negation', 'opener')
order by s.stem, w.kind, length(w.word), w.word
on conflict (word, kind) do nothing;
alter table memos_private.question_word enable row level security;
alter table memos_private.question_word force row level security;
drop policy if exists owner_reads_all on memos_private.question_word;
create policy owner_reads_all on memos_private.question_word to memos_owner using (true);

insert into memos_private.setting (name, value, description) values
    ('cache_max_key_bytes', '8192', 'longest key of a cache entry, in bytes of UTF-8'),
    ('cache_max_value_bytes', '4194304', 'largest value of a cache entry, in bytes of jsonb'),
    ('cache_max_tags', '1000', 'most tags of one cache entry'),
    ('cache_statistics_days', '30', 'how long the numbers of the caches are kept')
on conflict (name) do nothing;
