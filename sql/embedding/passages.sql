-- Greedy: sentences are packed into a passage while they fit the window. A sentence longer than the
-- window is cut at the window.
create or replace function memos_private.passages(p_content text, p_window_chars int)
returns table (passage int, content text)
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_sentence text;
    v_piece text;
    v_passage text := '';
    v_count int := 0;
begin
    if p_window_chars is null or length(p_content) <= p_window_chars then
        return query select 0, p_content;
        return;
    end if;
    for v_sentence in
        select s.parts[1]
        from regexp_matches(
            p_content, '.+?(?:[.!?…]+["''”’)\]]*\s+|[。！？]+|\n\s*|$)', 'g'
        ) as s (parts)
    loop
        -- In two steps: counting characters from the start for every piece would take quadratic time.
        for v_piece in
            select substr(s.stretch, 1 + n * p_window_chars, p_window_chars)
            from (
                select m, substr(v_sentence, 1 + m * p_window_chars * 64, p_window_chars * 64) as stretch
                from generate_series(0, (length(v_sentence) - 1) / (p_window_chars * 64)) as m
            ) as s
            cross join lateral generate_series(0, (length(s.stretch) - 1) / p_window_chars) as n
            order by s.m, n
        loop
            if v_passage ~ '\S' and length(v_passage) + length(v_piece) > p_window_chars then
                return query select v_count, btrim(v_passage, E' \t\r\n');
                v_count := v_count + 1;
                v_passage := '';
            end if;
            v_passage := v_passage || v_piece;
        end loop;
    end loop;
    if v_passage ~ '\S' then
        return query select v_count, btrim(v_passage, E' \t\r\n');
    end if;
end
$body$;
comment on function memos_private.passages is
    'A text as passages of at most that many characters, cut at sentence ends; the whole text as '
    'passage 0 when it fits or the model has no window (null).';
