-- A period is a run of words of a small vocabulary, each of which fills a later slot than the one before:
-- 1 preposition, 2 part or count, 3 unit, 4 ago/before/after, 5 day, 6 name, 7 day, 8 year.
-- Not one regular expression: with a capture for every slot it costs 0.5 ms a period.
-- Precision before coverage: May, June and March are people and verbs too, so a bare name needs a
-- preposition before it and an end of phrase after it.
-- Calendar arithmetic is on dates in UTC, and case is that of "C": nothing depends on the session.
-- The vocabulary, a letter for the kind of word and a number: n name, w weekday, d days back, u unit,
-- p part, c count, a ago, r preposition, e may follow a bare name. In two tables: only words of the first
-- make a question worth reading. As functions, which the planner turns into constants.
create or replace function memos_private.time_words()
returns jsonb
language sql
immutable
parallel safe
return jsonb
    '{"jan":"n1","january":"n1","feb":"n2","february":"n2","mar":"n3","march":"n3","apr":"n4",
      "april":"n4","may":"n5","jun":"n6","june":"n6","jul":"n7","july":"n7","aug":"n8",
      "august":"n8","sep":"n9","sept":"n9","september":"n9","oct":"n10","october":"n10",
      "nov":"n11","november":"n11","dec":"n12","december":"n12","spring":"n13","summer":"n14",
      "autumn":"n15","fall":"n15","winter":"n16","q1":"n17","q2":"n18","q3":"n19","q4":"n20",
      "halloween":"n21","thanksgiving":"n22","christmas":"n23","monday":"w1","tuesday":"w2",
      "wednesday":"w3","thursday":"w4","friday":"w5","saturday":"w6","sunday":"w7","today":"d0",
      "tonight":"d0","yesterday":"d1","today''s":"d0","yesterday''s":"d1","ago":"a","last":"r",
      "past":"r","previous":"r","this":"r"}';
comment on function memos_private.time_words is
    'Words of which a question that names a time has at least one, and what question_period takes them '
    'for.';

create or replace function memos_private.time_links()
returns jsonb
language sql
immutable
parallel safe
return jsonb
    '{"in":"r","during":"r","throughout":"r","around":"r","since":"r","until":"r","till":"r",
      "before":"r","after":"r","between":"r","and":"r","to":"r","through":"r","from":"r",
      "on":"r","at":"r","over":"r","by":"r","early":"p10","beginning":"p10","start":"p10",
      "mid":"p11","middle":"p11","late":"p12","end":"p12","first":"p1","second":"p2",
      "third":"p3","fourth":"p4","a":"c1","an":"c1","one":"c1","two":"c2","couple":"c2",
      "three":"c3","few":"c3","four":"c4","five":"c5","six":"c6","seven":"c7","eight":"c8",
      "nine":"c9","ten":"c10","eleven":"c11","twelve":"c12","day":"u1","days":"u1","night":"u8",
      "morning":"u8","afternoon":"u8","evening":"u8","week":"u2","weeks":"u2","month":"u3",
      "months":"u3","quarter":"u4","quarters":"u4","year":"u5","years":"u5","week''s":"u2",
      "month''s":"u3","year''s":"u5","weekend":"u6","weekends":"u6","half":"u7","the":"e",
      "with":"e","for":"e","is":"e","was":"e","were":"e","are":"e","did":"e","does":"e",
      "has":"e","had":"e","when":"e","that":"e","what":"e","which":"e","who":"e","how":"e",
      "where":"e","why":"e","because":"e","or":"e","as":"e","but":"e","while":"e","about":"e"}';
comment on function memos_private.time_links is
    'The other words of a period, and what question_period takes them for.';

create or replace function memos_private.named_period(
    p_name int, p_year int, p_day int, p_part int, p_parts int, p_last boolean, p_today date
)
returns daterange
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_starts constant int[] :=
        array[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 3, 6, 9, 12, 1, 4, 7, 10, 10, 11, 12];
    v_from date := make_date(
        coalesce(p_year, extract(year from p_today)::int), coalesce(v_starts[p_name], 1),
        coalesce((array[31, 22, 24])[p_name - 20], 1));
    v_until date := v_from + case
        when p_name is null then interval '1 year'
        when p_name <= 12 then interval '1 month'
        when p_name <= 16 then interval '3 months 21 days'
        when p_name <= 20 then interval '3 months'
        else make_interval(days => (array[1, 7, 3])[p_name - 20]) end;
    v_length constant int := v_until - v_from;
begin
    if p_day is not null then
        v_from := v_from + p_day - 1;
        v_until := v_from + 1;
    elsif p_part is not null then
        v_until := v_from + case p_part
            when 10 then v_length * 2 / 5 when 11 then v_length * 7 / 10 when 12 then v_length
            else v_length * p_part / p_parts end;
        v_from := v_from + case p_part
            when 10 then 0 when 11 then v_length * 3 / 10 when 12 then v_length * 3 / 5
            else v_length * (p_part - 1) / p_parts end;
    end if;
    if p_year is null and (case when p_last then v_until else v_from end) > p_today then
        return daterange((v_from - interval '1 year')::date, (v_until - interval '1 year')::date);
    end if;
    return daterange(v_from, v_until);
end
$body$;
comment on function memos_private.named_period is
    'The days of a month (1 to 12), season (13 spring to 16 winter, from its meteorological start to its '
    'astronomical end), quarter (17 to 20), Halloween, Thanksgiving, Christmas (21 to 23) or, without a name, '
    'year; or one day of it, or a part: 10 early, 11 mid, 12 late, or one of p_parts. Without a year: the '
    'latest that has begun on p_today, with p_last: that is over.';

create or replace function memos_private.counted_period(
    p_rel text, p_count int, p_unit text, p_direction text, p_base date
)
returns daterange
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_number constant int := substr(p_unit, 2);
    v_step constant interval := case when p_unit ~ '^u' then
        ('{1 day,7 days,1 month,3 months,1 year,7 days}'::interval[])[v_number] end;
    v_weekday constant int := extract(isodow from p_base);
    v_from date;
begin
    if p_unit ~ '^d' then
        v_from := p_base - v_number;
        return daterange(v_from, v_from + 1);
    elsif p_unit ~ '^w' and (p_rel in ('last', 'previous', 'this', 'on') or p_direction is not null) then
        v_from := p_base - case p_rel
            when 'this' then v_weekday - v_number
            when 'on' then (v_weekday - v_number + 7) % 7
            else (v_weekday - v_number + 6) % 7 + 1 end;
        return daterange(v_from, v_from + 1);
    elsif p_unit = 'u8' and p_rel in ('last', 'this') then
        v_from := p_base - (p_rel = 'last')::int;
        return daterange(v_from, v_from + 1);
    elsif p_unit = 'u6' and p_count is null
        and (p_rel in ('last', 'past', 'previous', 'this') or p_direction is not null)
    then
        v_from := p_base - v_weekday + case p_rel when 'this' then 6 else -1 end;
        return daterange(v_from, v_from + 2);
    elsif v_step is null then
        return null;
    elsif p_rel in ('last', 'past', 'previous')
        and (p_count is not null or p_rel = 'past' and v_number > 1)
    then
        return daterange((p_base - v_step * coalesce(p_count, 1))::date, p_base + 1);
    elsif p_rel in ('last', 'previous', 'this') and v_number between 2 and 5 then
        v_from := date_trunc((array['day', 'week', 'month', 'quarter', 'year'])[v_number], p_base::timestamp)
            - case p_rel when 'this' then interval '0' else v_step end;
        return daterange(v_from, (v_from + v_step)::date);
    elsif p_direction = 'ago' and p_count is not null or p_direction in ('before', 'after') then
        -- People round to the unit they use: half a unit to either side.
        v_from := p_base + v_step * coalesce(p_count, 1) * case p_direction when 'after' then 1 else -1 end
            - make_interval(days => (array[0, 3, 15, 45, 182, 3])[v_number]);
        return daterange(v_from, v_from + 1 + 2 * (array[0, 3, 15, 45, 182, 3])[v_number]);
    end if;
    return null;
end
$body$;
comment on function memos_private.counted_period is
    'The days that a unit (its code in question_period) and what stands around it mean, counted from p_base: '
    'last week, on Tuesday, past two months, 3 days ago; null when they mean no period.';

create or replace function memos_private.question_period(p_query text, p_now timestamptz)
returns tstzrange
language plpgsql
immutable
strict
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_words text[];
    v_word text;
    v_next text;
    v_code text;
    v_at int;
    v_place int;
    v_filled int;
    v_slots text[];
    v_joined text[];
    v_today date;
    v_ranged boolean;
    v_ends boolean;
    v_rel text;
    v_part int;
    v_count int;
    v_unit text;
    v_name int;
    v_day int;
    v_ordinal boolean;
    v_year int;
    v_period daterange;
    v_hull daterange;
    v_after date;
    v_before date;
    v_bounds daterange;
begin
    -- A text longer than any question is quoted material. Most questions name no time and end here.
    -- Marks become words; replace, because translate goes through UTF-8 letter by letter (8 us).
    if octet_length(p_query) > 1000 or not isfinite(p_now) then
        return null;
    end if;
    v_words := array_remove(string_to_array(
        replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(
            lower(p_query collate "C"), 'mid-', 'mid '), '.', ''), '"', ' '), '(', ' '), E'\n', ' '),
            ')', ','), '!', ','), ';', ','), '?', ','), ',', ' , '),
        ' '), '');
    if not memos_private.time_words() ?| v_words and p_query !~ '(?:19|20)\d\d' then
        return null;
    end if;
    v_today := p_now at time zone 'UTC';
    v_ranged := v_words && '{between,from}' and v_words && '{and,to,until,till,through}';

    v_at := 1;
    v_hull := daterange 'empty';
    v_after := date '-infinity';
    v_before := date 'infinity';
    while v_at <= cardinality(v_words) loop
        v_filled := 0;
        v_slots := array_fill(null::text, array[8]);
        v_joined := v_slots;  -- the article or "of" after a slot
        loop
            v_word := v_words[v_at];
            v_next := v_words[v_at + 1];
            v_code := coalesce(
                memos_private.time_words() ->> v_word, memos_private.time_links() ->> v_word, case
                    when v_word >= 'a' collate "C" then null
                    when v_word ~ '^(19|20)\d\d(-(0[1-9]|1[0-2])(-\d\d)?)?$' then 'y'
                    when v_word ~ '^\d{1,3}(st|nd|rd|th)?$' then '#' end);
            if v_filled between 1 and 5 and v_word in ('the', 'of')
                or v_filled in (6, 7) and v_word in (',', 'of') and v_next ~ '^(19|20)\d\d|last|this'
            then
                v_joined[v_filled] := v_word;
                v_at := v_at + 1;
                continue;
            end if;
            v_place := case left(v_code, 1)
                when 'r' then case
                    when v_filled = 3 and v_word in ('before', 'after') then 4
                    when v_filled in (6, 7) and v_word in ('last', 'this') and v_next ~ '^year' then 8
                    else 1 end
                when '#' then case when v_filled < 3 then 2 when v_filled < 6 then 5 else 7 end
                when 'p' then 2 when 'c' then 2 when 'u' then 3 when 'w' then 3 when 'd' then 3
                when 'a' then 4 when 'n' then 6 when 'y' then 8 end;
            exit when v_place is null or v_place <= v_filled;
            v_slots[v_place] := v_word;
            v_filled := v_place;
            v_at := v_at + case when v_place = 8 and v_code = 'r' then 2 else 1 end;
        end loop;
        v_at := v_at + (v_filled = 0)::int;
        continue when v_filled < 3;
        v_ends := coalesce(v_word = ',' or v_code ~ '^[re]', v_word is null);

        v_rel := case
            when v_ranged or v_slots[1] <> all ('{between,and,to,from,through}') then v_slots[1] end;
        v_code := memos_private.time_links() ->> v_slots[2];
        v_part := case when v_code ~ '^p' then substr(v_code, 2) end;
        v_count := case when v_code ~ '^c' then substr(v_code, 2) else substring(v_slots[2], '^\d+') end;
        v_unit := coalesce(
            memos_private.time_words() ->> v_slots[3], memos_private.time_links() ->> v_slots[3]);
        v_period := daterange 'empty';
        if v_filled >= 6 then
            v_name := coalesce(
                substr(memos_private.time_words() ->> v_slots[6], 2), substring(v_slots[8], '-(\d\d)'));
            v_word := coalesce(v_slots[7], v_slots[5], case when v_unit is null then v_slots[2] end);
            v_day := coalesce(substring(v_word, '^\d+'), substring(v_slots[8], '-\d\d-(\d\d)'));
            v_ordinal := v_word ~ '^\d+\D';
            if v_rel = 'last' and v_unit in ('u2', 'u7') then
                v_part := case v_unit when 'u2' then 4 else 2 end;  -- the last week or half of June
            elsif v_part <= 4 and v_unit is null and v_joined[2] = 'of' then
                v_day := v_part;  -- the first of June
                v_ordinal := true;
            end if;
            -- A day needs a year, an ordinal or a preposition; a quantity is not a year.
            continue when not coalesce(case
                when v_part <= 4 and v_day is null and coalesce(v_unit, '') not in ('u2', 'u7') then false
                when v_name > 12 and v_day is not null or v_day not between 1 and 31 then false
                when v_code ~ '^c' and v_unit is null then false
                when v_day is not null then v_slots[8] is not null or v_rel = 'on'
                    or v_ends and (v_rel is not null or v_ordinal)
                when v_slots[6] is not null and v_slots[8] is not null then
                    v_ends or num_nonnulls(v_rel, v_part, v_unit) > 0
                when v_rel = 'last' and v_unit is null and v_name is not null then true
                when not v_ends then false
                when v_part is not null or v_unit is not null then true
                when v_name > 20 then v_rel not in ('in', 'during')  -- more often every year's
                when v_name > 12 then v_rel is not null
                when v_rel in ('on', 'at', 'over') then false
                when v_slots[6] is null then v_rel <> 'this'
                when v_rel = 'this' then v_at > cardinality(v_words) or v_words[v_at] = ','
                else v_rel not in ('by', 'past', 'previous') and v_joined[1] is null
            end, false);
            v_year := case
                when v_slots[8] ~ '^\d' then left(v_slots[8], 4)::int
                when v_slots[8] is not null then
                    extract(year from v_today)::int - (v_slots[8] = 'last')::int
                when v_ranged then substring(p_query, '\m(?:19|20)\d\d\M')::int
                when v_rel = 'this' then extract(year from v_today)::int end;
            v_period := memos_private.named_period(
                v_name, v_year, v_day, v_part, case v_unit when 'u2' then 4 else 2 end, v_rel = 'last',
                v_today);
            if v_day is not null and v_unit in ('u2', 'u6') and v_slots[4] is null then
                -- The week or weekend of a day.
                v_period := memos_private.counted_period('this', null, v_unit, null, lower(v_period));
            end if;
            if v_slots[4] is null then
                case
                    when v_rel in ('since', 'between', 'from') then
                        v_after := greatest(v_after, lower(v_period));
                    when v_rel = 'after' then v_after := greatest(v_after, upper(v_period));
                    when v_rel = 'before' then v_before := least(v_before, lower(v_period));
                    when v_rel in ('until', 'till', 'by', 'and', 'to', 'through') then
                        v_before := least(v_before, upper(v_period));
                    else v_hull := range_merge(v_hull, v_period);
                end case;
                continue;
            end if;
        end if;
        continue when v_joined[3] is not null;  -- the last week of something
        v_hull := range_merge(range_merge(v_hull, v_period), coalesce(memos_private.counted_period(
            v_rel, v_count, v_unit, case when v_filled >= 6 or v_slots[4] = 'ago' then v_slots[4] end,
            coalesce(lower(v_period), v_today)), 'empty'));
    end loop;
    if v_ranged and isfinite(v_after) and isfinite(v_before) and v_after >= v_before then
        -- "Between December and March 2023": which of the two years is another one is not said.
        v_after := v_after - interval '1 year';
        v_before := v_before + interval '1 year';
    end if;
    if v_ranged and isfinite(v_after) <> isfinite(v_before) or v_after >= v_before then
        v_bounds := daterange 'empty';  -- half of a range was not understood, or there is no such time
    else
        v_bounds := daterange(nullif(v_after, '-infinity'), nullif(v_before, 'infinity'));
    end if;
    if isempty(v_hull) then
        v_hull := v_bounds;
    elsif v_hull && v_bounds then
        v_hull := v_hull * v_bounds;
    end if;
    if isempty(v_hull) or lower_inf(v_hull) and upper_inf(v_hull) then
        return null;
    end if;
    return tstzrange(
        lower(v_hull)::timestamp at time zone 'UTC', upper(v_hull)::timestamp at time zone 'UTC'
    );
end
$body$;
comment on function memos_private.question_period is
    'The period an English question asks about, in whole days of UTC whatever the session''s settings; null '
    'when it names none. Understood: dates (7 May 2023, May 7th, 2023-05-07), months, seasons of the '
    'northern half (winter 2022 starts in December 2022), quarters, years, Christmas, Halloween, Thanksgiving; '
    'early, mid, late, first half of, second week of; in, before, after, since, until, by, between and from '
    '... to; yesterday, last Tuesday, last week, this month, past two months, 3 days ago, two weeks before a '
    'date. Without a year: the latest one that has begun at p_now. Several periods give the one that spans '
    'them. Not understood: the future, 7/5/2023, times of day, texts of more than 1,000 bytes.';

-- One expression without SET, so that it is inlined into the ranking statement.
create or replace function memos_private.period_overlap(p_period tstzrange, p_occurred_at timestamptz)
returns double precision
language sql
immutable
parallel safe
return case
    when p_period @> p_occurred_at then 1
    when p_period is null or p_occurred_at is null or not isfinite(p_occurred_at) then 0
    else greatest(0, 1 - greatest(
        date_part('epoch', lower(p_period) - p_occurred_at), date_part('epoch', p_occurred_at - upper(p_period))
    ) / greatest(coalesce(date_part('epoch', upper(p_period) - lower(p_period)), 2592000), 259200))
end;
comment on function memos_private.period_overlap is
    'How well an event time fits a period: 1 inside, falling linearly to 0 at one length of the period '
    'outside, at least 3 days, 30 days for an open one; 0 without a time. The error of a remembered date '
    'grows with the unit it is told in, a day for "yesterday", months for "in 2022" (Huttenlocher, Hedges and '
    'Bradburn 1990, Reports of elapsed time), and what happened on a day is often told the next time one talks.';
