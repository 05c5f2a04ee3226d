{# The rows of a source's files that the table does not hold yet, all columns as text. #}
{% macro landed(source, columns) %}
  {% set files = [] %}
  {% if execute %}
    {% set listed %}
      select file from glob('{{ env_var("SHOP_LANDING") }}/{{ source }}/*')
      {% if is_incremental() %} where file not in (select file from {{ this }}) {% endif %}
      order by file
    {% endset %}
    {% set files = run_query(listed).columns[0].values() | list %}
  {% endif %}
  {% if not files %}
    select * from {{ this }} where false
  {% else %}
    select
      {% for column in columns %} {{ column }}, {% endfor %}
      filename as file,
      '{{ invocation_id }}' as run
    from
    {% if files[0].endswith('.parquet') %}
      read_parquet({{ files }}, filename = true)
    {% else %}
      read_csv(
        {{ files }}, filename = true, auto_detect = false, header = true, quote = '"',
        columns = { {% for column in columns %} '{{ column }}': 'varchar', {% endfor %} }
      )
    {% endif %}
  {% endif %}
{% endmacro %}

{% macro moment(column) %}
  try_strptime({{ column }}, ['%Y-%m-%dT%H:%M:%S', '%d/%m/%Y %H:%M:%S', '%d-%b-%Y %H:%M:%S'])
{% endmacro %}

{# The newest record of each key in this run that is newer than what the table has. #}
{% macro newest(cleaned, keys) %}
  select cleaned.* from {{ cleaned }} as cleaned
  {% if is_incremental() %}
    left join {{ this }} as standing using ({{ keys }})
    where standing.updated_at is null or cleaned.updated_at >= standing.updated_at
  {% endif %}
  qualify row_number() over (
    partition by {{ keys }} order by cleaned.updated_at desc, cleaned.file desc
  ) = 1
{% endmacro %}
