-- What makes two texts the same to an erasure. Wide rather than narrow: whoever re-types, re-extracts or
-- disguises a text does not change what it says, and a refusal too many can be lifted.
--   NFKD:          full-width, mathematical, ligated letters are the plain ones;
--   marks:         accents go (models drop and add them), and so does what cannot be seen;
--   case:          small letters, and ss for the sharp s;
--   look-alikes:   Cyrillic, Greek and other letters that are drawn like Latin ones, quotes and dashes;
--   blanks:        any run of them is one;
--   the ends:      signs of punctuation around the text, and the day that a summary puts before a sentence.
-- Signs inside stay: "3.5" is not "35", and "C++" is not "C".
create or replace function memos_private.erasure_form(p_text text)
returns text
language sql
immutable
parallel safe
return coalesce(nullif(regexp_replace(
    btrim(
        regexp_replace(
            case when octet_length(p_text) = char_length(p_text) then lower(p_text)
                else translate(
                    replace(lower(regexp_replace(
                        normalize(p_text, nfkd),
                        '[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u00ad\u034f\u061c\u115f\u1160'
                        '\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f'
                        '\ufeff\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]',
                        '', 'g'
                    )), 'ß', 'ss'),
                    'АаВвЕеЗзІіЈјКкМмНнОоРрСсТтУуХхЅѕԀԁԚԛԜԝҺһӀӏҮүЬьΑαΒβΕεΖζΗηΙιΚκΜμΝνΟοΡρΤτΥυΧχϲϳɑɡɩıøØłŁđĐħĦʟʀɴ'
                    '‘’‚‛′´`ʼ“”„‟″«»‐‑‒–—―−⁃',
                    'aabbee33iijjkkmmhhooppccttyyxxssddqqwwhhllyybbaabbeezzhhiikkmmvvooppttyyxxcjagiioollddhhlrn'
                    '''''''''''''''''"""""""--------'
                )
            end,
            '\s+', ' ', 'g'
        ),
        E' .,;:!?…·•*_~"''()[]{}<>|-'
    ),
    '^\d{4}-\d\d-\d\d: ', ''
), ''), p_text);
comment on function memos_private.erasure_form is
    'A text without what does not change what it says: case, blanks, accents, look-alikes, invisible '
    'characters, punctuation at its ends.';

-- Plain SQL, to become part of the statements that scan all of a user's rows.
create or replace function memos_private.text_leaves(p_values jsonb)
returns setof text
language sql
immutable
parallel safe
begin atomic
    select v.value #>> '{}'
    from jsonb_path_query(p_values, 'strict $.**') as v (value)
    where jsonb_typeof(v.value) = 'string'
    union all
    select k.key
    from jsonb_path_query(p_values, 'strict $.**') as v (value)
    cross join lateral jsonb_object_keys(case jsonb_typeof(v.value) when 'object' then v.value end) as k (key);
end;
comment on function memos_private.text_leaves is 'Every text in a JSON value, at any depth, keys included.';

create or replace function memos_private.erasure_forms(p_text text)
returns setof text
language sql
immutable
parallel safe
begin atomic
    select memos_private.erasure_form(p_text)
    union all
    select f.form
    from regexp_split_to_table(
        case when p_text ~ '[.!?。！？]\s|[\r\n]' then p_text end, '(?<=[.!?。！？])\s+|[\r\n]+'
    ) as s (sentence)
    cross join lateral memos_private.erasure_form(s.sentence) as f (form)
    -- A text that has "Yes." in it does not say what a text "Yes" says.
    where f.form ~ '\S \S+ \S' or length(f.form) >= 20;
end;
comment on function memos_private.erasure_forms is
    'What a text says: as a whole, and by each of its sentences and lines of at least three words (or 20 '
    'characters). It carries an erased value when one of these is that value.';

create or replace function memos_private.erasure_digest(p_user_id uuid, p_form text, p_secret bytea)
returns bytea
language sql
immutable
parallel safe
return public.hmac(uuid_send(p_user_id) || convert_to(p_form, 'UTF8'), p_secret, 'sha256');
comment on function memos_private.erasure_digest is
    'HMAC-SHA-256 of a form: the same words of two users have nothing in common.';
