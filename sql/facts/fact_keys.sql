-- Immutable for as long as nobody changes the rules of unaccent, whose dictionary is named.
create or replace function memos_private.fact_key(p_text text)
returns text
language sql
immutable
return btrim(regexp_replace(
    lower(public.unaccent('public.unaccent'::regdictionary, normalize(p_text, nfkc))), '[\s_]+', ' ', 'g'
));
comment on function memos_private.fact_key is
    'What makes two names the same: without case and accents, each run of blanks and underscores one '
    'blank.';

create or replace function memos_private.require_fact_text(p_argument text, p_text text, p_most int)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- The key, too: a character can become a word.
    if p_text is null or memos_private.fact_key(p_text) = ''
        or greatest(length(p_text), length(memos_private.fact_key(p_text))) > p_most
    then
        perform memos_private.refuse_argument(
            p_argument,
            case when p_text is null then 'it is null'
                when length(p_text) > p_most then format('it has %s characters', length(p_text))
                else format('it is "%s"', p_text) end,
            format('a text that is not blank, at most %s characters', p_most)
        );
    end if;
    return btrim(regexp_replace(p_text, '\s+', ' ', 'g'));
end
$body$;
comment on function memos_private.require_fact_text is
    'A name or value as it is shown, blanks tidied. Errors: MO400.';

create or replace function memos_private.lock_attribute(
    p_user_id uuid, p_entity_key text, p_attribute_key text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- No key has an underscore.
    perform pg_advisory_xact_lock(
        hashtextextended(format('memos.fact %s %s_%s', p_user_id, p_entity_key, p_attribute_key), 0)
    );
end
$body$;
comment on function memos_private.lock_attribute is
    'Until the transaction ends, nobody else changes the timeline of the attribute.';
