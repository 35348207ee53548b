-- Asked of every text on its way in, so it has to be cheap, and it may not miss anything that
-- memos_pl.identifiers finds: what it lets pass is not looked at. A digit is in every class but names.
create or replace function memos_private.may_identify(p_content text, p_level text)
returns boolean
language sql
immutable
parallel safe
return case p_level
    when 'comprehensive' then false
    -- Five digits in a word or in words of digits; then nine of them, or a word that gives meaning to them.
    when 'balanced' then p_content ~ '[0-9](( |\S{0,4})[0-9]){4}' and (
        p_content ~ '[0-9]([-\u2010\u2011\u2013 ]?[0-9]){8}|[1-9][A-Y][A-Y0-9][0-9]-?[A-Y][A-Y0-9][0-9]'
        or p_content ~* 'mrn|medical|patient|chart|medicare|medicaid|nhs|subscriber|health|insurance|versich'
    )
    when 'minimal' then p_content ~ '[0-9@]'
    else p_content ~ '[0-9@]'
        or p_content ~ '\m(Dr|Mr|Mrs|Ms|Miss|Mx|Prof|Herr|Frau|Señor|Mme|Pastor|Nurse|Doctor)'
        or p_content ~* '\m(name|heiße|llamo)\M'
end;
comment on function memos_private.may_identify is
    'Whether a text is worth a look for what its privacy level does not allow.';

create or replace function memos_private.require_identifier_check()
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if to_regprocedure('memos_private.find_identifiers(text[], text[])') is null then
        raise exception 'identifiers cannot be found on this server'
            using errcode = 'feature_not_supported',
                detail = 'the language plpython3u is not installed',
                hint = 'install it (memos doctor) and run memos migrate';
    end if;
end
$body$;
comment on function memos_private.require_identifier_check is
    'Raises 0A000 where the server has no PL/Python to look for identifiers with.';

create or replace function memos_private.require_checkable_text(p_text text, p_level text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_text is null or octet_length(p_text) > memos_private.setting('max_content_bytes')::int then
        perform memos_private.refuse_argument(
            'p_text', coalesce(format('it has %s bytes', octet_length(p_text)), 'it is null'),
            format(
                'text of at most %s bytes (setting max_content_bytes)',
                memos_private.setting('max_content_bytes')
            )
        );
    end if;
    if p_level is null or p_level not in ('minimal', 'balanced', 'comprehensive', 'restricted') then
        perform memos_private.refuse_argument(
            'p_level', memos_private.it_is(p_level),
            'minimal, balanced, comprehensive or restricted'
        );
    end if;
    perform memos_private.require_identifier_check();
end
$body$;
comment on function memos_private.require_checkable_text is
    'Checks the arguments of find_identifiers and mask_identifiers. Errors: MO400, 0A000.';

create or replace function memos.find_identifiers(p_text text, p_level text default 'restricted')
returns table (type text, first int, last int, evidence text)
language plpgsql
stable
security definer
rows 5
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    perform memos_private.require_checkable_text(p_text, p_level);
    return query
    select f.type, f.first, f.last, f.evidence
    from memos_private.find_identifiers(array[p_text], array[p_level]) as f
    order by f.first;
end
$body$;
comment on function memos.find_identifiers is
    'What p_level does not allow in a text, as characters first to last, and what says so (checksum, form '
    'or context). balanced: ssn, credit_card, medical_id; minimal: also iban, email, phone, '
    'date_of_birth, street_address, postal_code, ip_address; restricted: also person_name, where a title '
    'or "my name is" gives it away; comprehensive: nothing. Stores nothing, needs no user. '
    'Errors: MO400, 0A000.';

create or replace function memos.mask_identifiers(p_text text, p_level text default 'restricted')
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.require_checkable_text(p_text, p_level);
    return (memos_private.mask_identifiers(array[p_text], array[p_level]))[1];
end
$body$;
comment on function memos.mask_identifiers is
    'A text with "[ssn]" and so on in place of what memos.find_identifiers finds. Stores nothing, needs '
    'no user. Errors: MO400, 0A000.';
