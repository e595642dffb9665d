{# The columns that close every staged ad report: which extraction told the row, of which window, and where it landed. #}
{% macro ad_extraction() -%}
    extracted_on,
        window_from,
        window_to,
        _file as source_file,
        _line as source_line,
        _deleted_at is not null as is_deleted,
        _load_id as load_id,
        _extracted_at as extracted_at
{%- endmacro %}
