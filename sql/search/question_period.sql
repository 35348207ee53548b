-- A question's period is a run of words of a small vocabulary, each of which fills a later slot than the one
-- before: 1 preposition, 2 part or count, 3 unit, 4 ago/before/after, 5 day, 6 name, 7 day, 8 year.
-- Not one regular expression: with a capture for every slot it costs 0.5 ms a period.
-- Precision before coverage: May, June and March are people and verbs too, so a bare name needs a preposition
-- before it and an end of phrase after it.
-- Calendar arithmetic is on dates in UTC, and case is that of "C": nothing depends on the session.
create or replace function memos_private.question_period(p_query text, p_now timestamptz)
returns tstzrange
language plpgsql
immutable
strict
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
declare
    -- n: name, w: weekday, d: days back, r: preposition, p: part, c: count, u: unit, e: may follow a bare name.
    v_times constant jsonb := jsonb
        '{"jan":"n1","january":"n1","feb":"n2","february":"n2","mar":"n3","march":"n3","apr":"n4","april":"n4",
          "may":"n5","jun":"n6","june":"n6","jul":"n7","july":"n7","aug":"n8","august":"n8","sep":"n9","sept":"n9",
          "september":"n9","oct":"n10","october":"n10","nov":"n11","november":"n11","dec":"n12","december":"n12",
          "spring":"n13","summer":"n14","autumn":"n15","fall":"n15","winter":"n16","q1":"n17","q2":"n18","q3":"n19",
          "q4":"n20","halloween":"n21","thanksgiving":"n22","christmas":"n23","monday":"w1","tuesday":"w2",
          "wednesday":"w3","thursday":"w4","friday":"w5","saturday":"w6","sunday":"w7","today":"d0","tonight":"d0",
          "yesterday":"d1","today''s":"d0","yesterday''s":"d1","ago":"a","last":"r","past":"r","previous":"r","this":"r"}';
    v_links constant jsonb := jsonb
        '{"in":"r","during":"r","throughout":"r","around":"r","since":"r","until":"r","till":"r","before":"r",
          "after":"r","between":"r","and":"r","to":"r","through":"r","from":"r","on":"r","at":"r","over":"r","by":"r",
          "early":"p10","beginning":"p10","start":"p10","mid":"p11","middle":"p11","late":"p12","end":"p12",
          "first":"p1","second":"p2","third":"p3","fourth":"p4","a":"c1","an":"c1","one":"c1","two":"c2",
          "couple":"c2","three":"c3","few":"c3","four":"c4","five":"c5","six":"c6","seven":"c7","eight":"c8",
          "nine":"c9","ten":"c10","eleven":"c11","twelve":"c12","day":"u1","days":"u1","night":"u1","morning":"u1",
          "afternoon":"u1","evening":"u1","week":"u2","weeks":"u2","month":"u3","months":"u3","quarter":"u4",
          "quarters":"u4","year":"u5","years":"u5","week''s":"u2","month''s":"u3","year''s":"u5","weekend":"u6","weekends":"u6","half":"u7",
          "the":"e","with":"e","for":"e","is":"e","was":"e","were":"e","are":"e","did":"e","does":"e","has":"e",
          "had":"e","when":"e","that":"e","what":"e","which":"e","who":"e","how":"e","where":"e","why":"e",
          "because":"e","or":"e","as":"e","but":"e","while":"e","about":"e"}';
    v_steps constant interval[] := array[
        interval '1 day', interval '7 days', interval '1 month', interval '3 months', interval '1 year',
        interval '7 days'];
    v_words text[];
    v_word text;
    v_code text;
    v_at int := 1;
    v_place int;
    v_filled int;
    v_slots text[];
    v_joined text[];
    v_today date;
    v_base date;
    v_ranged boolean;
    v_rel text;
    v_count int;
    v_part int;
    v_unit int;
    v_name int;
    v_day int;
    v_year int;
    v_from date;
    v_until date;
    v_length int;
    v_ends boolean;
    v_hull daterange := 'empty';
    v_after date := '-infinity';
    v_before date := 'infinity';
    v_bounds daterange;
begin
    -- A text longer than any question is quoted material. Most questions name no time and end here.
    -- Marks become words; replace, because translate goes through UTF-8 letter by letter (8 us).
    if octet_length(p_query) > 1000 or not isfinite(p_now) then
        return null;
    end if;
    v_words := array_remove(string_to_array(
        replace(replace(replace(replace(replace(replace(replace(replace(lower(p_query collate "C"),
            'mid-', 'mid '), '"', ' '), '(', ' '), E'\n', ' '), ')', ','), '!', ','), '?', ','), ',', ' , '),
        ' '), '');
    if not v_times ?| v_words and p_query !~ '(?:19|20)\d\d' then
        return null;
    end if;
    v_today := p_now at time zone 'UTC';
    v_ranged := v_words && '{between,from}' and v_words && '{and,to,until,till,through}';

    while v_at <= cardinality(v_words) loop
        v_filled := 0;
        v_slots := array_fill(null::text, array[8]);
        v_joined := v_slots;  -- the article or "of" after a slot
        loop
            v_word := rtrim(v_words[v_at], '.;:');
            v_code := coalesce(v_times ->> v_word, v_links ->> v_word, case
                when v_word ~ '^(19|20)\d\d(-(0[1-9]|1[0-2])(-\d\d)?)?$' then 'y'
                when v_word ~ '^\d{1,3}(st|nd|rd|th)?$' then '#' end);
            if v_filled between 1 and 5 and v_word in ('the', 'of')
                or v_filled in (6, 7) and v_word in (',', 'of') and v_words[v_at + 1] ~ '^(19|20)\d\d|last|this'
            then
                v_joined[v_filled] := v_word;
                v_at := v_at + 1;
                continue;
            end if;
            v_place := case left(v_code, 1)
                when 'r' then case
                    when v_filled = 3 and v_word in ('before', 'after') then 4
                    when v_filled in (6, 7) and v_word in ('last', 'this') and v_words[v_at + 1] ~ '^year' then 8
                    else 1 end
                when '#' then case when v_filled < 3 then 2 when v_filled < 6 then 5 else 7 end
                when 'p' then 2 when 'c' then 2 when 'u' then 3 when 'w' then 3 when 'd' then 3
                when 'a' then 4 when 'n' then 6 when 'y' then 8 end;
            exit when v_place is null or v_place <= v_filled;
            v_slots[v_place] := v_word;
            v_filled := v_place;
            v_at := v_at + 1 + (v_place = 8 and v_word in ('last', 'this'))::int;
        end loop;
        v_at := v_at + (v_filled = 0)::int;
        continue when v_filled < 3;
        v_ends := coalesce(v_word = ',' or v_code ~ '^[re]', v_word is null);

        v_rel := case when v_ranged or v_slots[1] <> all ('{between,and,to,from,through}') then v_slots[1] end;
        v_code := v_links ->> v_slots[2];
        v_part := case when v_code ~ '^p' then substr(v_code, 2) end;
        v_count := case when v_code ~ '^c' then substr(v_code, 2) else substring(v_slots[2], '^\d+') end;
        v_unit := substr(v_links ->> v_slots[3], 2);
        v_name := coalesce(substr(v_times ->> v_slots[6], 2), substring(v_slots[8], '-(\d\d)'));
        v_word := coalesce(v_slots[7], v_slots[5], case when v_slots[3] is null and v_filled >= 6 then v_slots[2] end);
        v_day := coalesce(substring(v_word, '^\d+'), substring(v_slots[8], '-\d\d-(\d\d)'));
        if v_rel = 'last' and v_unit in (2, 7) and v_filled >= 6 then
            v_part := case v_unit when 2 then 4 else 2 end;  -- the last week or half of June
        elsif v_part <= 4 and v_unit is null and v_joined[2] = 'of' then
            v_day := v_part;  -- the first of June
        end if;
        v_base := v_today;

        if v_filled >= 6 then
            -- A day needs a year, an ordinal or a preposition; a quantity is not a year.
            continue when not coalesce(case
                when v_part <= 4 and v_day is null and coalesce(v_unit not in (2, 7), true) then false
                when v_name > 12 and v_day is not null or v_day not between 1 and 31 then false
                when v_code ~ '^c' and v_unit is null then false
                when v_day is not null then v_slots[8] is not null or v_rel = 'on'
                    or v_ends and (v_rel is not null or v_word ~ '\D$' or v_part is not null)
                when v_name is not null and v_slots[8] is not null and v_slots[8] !~ '-' then
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
                when v_slots[8] is not null then extract(year from v_today)::int - (v_slots[8] = 'last')::int
                when v_ranged then substring(p_query, '\m(?:19|20)\d\d\M')::int end;
            v_from := make_date(
                coalesce(v_year, extract(year from v_today)::int),
                coalesce(('{1,2,3,4,5,6,7,8,9,10,11,12,3,6,9,12,1,4,7,10,10,11,12}'::int[])[v_name], 1),
                coalesce(('{31,22,24}'::int[])[v_name - 20], 1));
            -- A season lasts from the meteorological start to the astronomical end.
            v_until := v_from + case
                when v_name is null then interval '1 year' when v_name <= 12 then interval '1 month'
                when v_name <= 16 then interval '3 months 21 days' when v_name <= 20 then interval '3 months'
                else make_interval(days => ('{1,7,3}'::int[])[v_name - 20]) end;
            v_length := v_until - v_from;
            if v_day is not null then
                v_from := v_from + v_day - 1;
                v_until := v_from + 1;
            elsif v_part is not null then
                v_until := v_from + case v_part
                    when 10 then v_length * 2 / 5 when 11 then v_length * 7 / 10 when 12 then v_length
                    else v_length * v_part / case v_unit when 2 then 4 else 2 end end;
                v_from := v_from + case v_part
                    when 10 then 0 when 11 then v_length * 3 / 10 when 12 then v_length * 3 / 5
                    else v_length * (v_part - 1) / case v_unit when 2 then 4 else 2 end end;
            end if;
            if v_year is null and v_rel is distinct from 'this'
                and (case v_rel when 'last' then v_until else v_from end) > v_today
            then
                v_from := v_from - interval '1 year';
                v_until := v_until - interval '1 year';
            end if;
            if v_day is not null and v_unit in (2, 6) and v_slots[4] is null then
                -- The week or weekend of a day.
                v_from := date_trunc('week', v_from::timestamp)::date + case v_unit when 6 then 5 else 0 end;
                v_until := date_trunc('week', v_from::timestamp)::date + 7;
            end if;
            case
                when v_slots[4] is not null or v_rel is null then v_hull := range_merge(v_hull, daterange(v_from, v_until));
                when v_rel in ('since', 'between', 'from') then v_after := greatest(v_after, v_from);
                when v_rel = 'after' then v_after := greatest(v_after, v_until);
                when v_rel = 'before' then v_before := least(v_before, v_from);
                when v_rel in ('until', 'till', 'by', 'and', 'to', 'through') then
                    v_before := least(v_before, v_until);
                else v_hull := range_merge(v_hull, daterange(v_from, v_until));
            end case;
            continue when v_slots[4] is null;
            v_base := v_from;
        end if;

        -- Counted from today, or from the date that "before" or "after" leads to.
        v_from := null;
        v_name := case when v_times ->> v_slots[3] ~ '^w' then substr(v_times ->> v_slots[3], 2) end;
        v_length := extract(isodow from v_base);
        case
            when v_joined[3] is not null then null;  -- the last week of something
            when v_times ->> v_slots[3] ~ '^d' then
                v_from := v_base - substr(v_times ->> v_slots[3], 2)::int;
                v_until := v_from + 1;
            when v_name is not null and (v_rel in ('last', 'previous', 'this', 'on') or v_filled >= 6) then
                v_from := v_base - case v_rel
                    when 'this' then v_length - v_name when 'on' then (v_length - v_name + 7) % 7
                    else (v_length - v_name + 6) % 7 + 1 end;
                v_until := v_from + 1;
            when v_unit = 6 and v_count is null and (v_rel in ('last', 'past', 'previous', 'this') or v_filled >= 6) then
                v_from := v_base - v_length + case v_rel when 'this' then 6 else -1 end;
                v_until := v_from + 2;
            when v_unit = 1 and v_count is null and v_rel in ('last', 'this') and v_slots[3] !~ '^day' then
                v_from := v_base - (v_rel = 'last')::int;
                v_until := v_from + 1;
            when v_unit > 6 or v_unit is null then null;
            when v_rel in ('last', 'past', 'previous') and (v_count is not null or v_rel = 'past' and v_unit > 1) then
                v_from := v_base - v_steps[v_unit] * coalesce(v_count, 1);
                v_until := v_base + 1;
            when v_rel in ('last', 'previous', 'this') and v_count is null and v_unit > 1 then
                v_from := date_trunc(('{day,week,month,quarter,year}'::text[])[v_unit], v_base::timestamp);
                v_from := v_from - case v_rel when 'this' then interval '0' else v_steps[v_unit] end;
                v_until := v_from + v_steps[v_unit];
            when v_slots[4] = 'ago' and v_count is not null or v_filled >= 6 then
                -- People round to the unit they use: half a unit to either side.
                v_from := v_base + v_steps[v_unit] * coalesce(v_count, 1)
                    * case v_slots[4] when 'after' then 1 else -1 end;
                v_length := ('{0,3,15,45,182,3}'::int[])[v_unit];
                v_until := v_from + v_length + 1;
                v_from := v_from - v_length;
            else null;
        end case;
        if v_from is not null then
            v_hull := range_merge(v_hull, daterange(v_from, v_until));
        end if;
    end loop;
    if v_ranged and isfinite(v_after) and isfinite(v_before) and v_after >= v_before then
        -- "Between December and March 2023": which of the two years is another one is not said.
        v_after := v_after - interval '1 year';
        v_before := v_before + interval '1 year';
    end if;
    if v_ranged and isfinite(v_after) <> isfinite(v_before) or v_after >= v_before then
        v_bounds := 'empty';  -- half of a range was not understood, or there is no such time
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
    'The period an English question asks about, whole days of UTC whatever the session''s settings, null when '
    'it names none. Understood: dates (7 May 2023, May 7th, 2023-05-07), months, seasons of the northern '
    'half (winter 2022 starts in December 2022), quarters, years, Christmas, Halloween, Thanksgiving; early, mid, '
    'late, first half of, second week of; in, before, after, since, until, by, between and from ... to; '
    'yesterday, last Tuesday, last week, this month, past two months, 3 days ago, two weeks before a date. '
    'Without a year: the latest one that has begun at p_now. Several periods give the one that spans them. '
    'Not understood: the future, 7/5/2023, times of day, texts of more than 1,000 bytes.';

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
    'How well an event time fits a period: 1 inside, falling linearly to 0 at one length of the period outside, '
    'at least 3 days, 30 days for an open one; 0 without a time. The error of a remembered date grows with '
    'the unit it is told in, a day for "yesterday", months for "in 2022" (Huttenlocher, Hedges and Bradburn '
    '1990, Reports of elapsed time), and what happened on a day is often told the next time one talks.';
