{{ config(materialized='incremental', incremental_strategy='append') }}
{{ landed('customers', [
  'customer_id', 'name', 'email', 'mobile', 'gender', 'age', 'income', 'city', 'country',
  'signup_date', 'updated_at',
]) }}
