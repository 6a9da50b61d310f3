import type { Child } from 'hono/jsx'
import type { Reader } from '../reader/reader.ts'

const MAX_FIELDS = 200
const MAX_DEPTH = 6

interface Field {
  name: string
  depth: number
  type: string
  about: string
  isOptional: boolean
}

/** A table of the fields that a JSON Schema describes. */
export function SchemaFields({ schema, reader: { text } }: { schema: unknown; reader: Reader }): Child {
  const fields = fieldsOf(schema, 0)
  if (fields.length === 0) return <p class="sec dim">{text('events.no_schema')}</p>
  return (
    <>
      <table class="rows">
        <caption class="sr">{text('portal.fields')}</caption>
        <thead>
          <tr>
            <th scope="col">{text('portal.field')}</th>
            <th scope="col">{text('portal.field_type')}</th>
            <th scope="col">{text('portal.field_about')}</th>
          </tr>
        </thead>
        <tbody>
          {fields.slice(0, MAX_FIELDS).map(({ name, depth, type, about, isOptional }) => (
            <tr>
              <td class="a mono">
                {Array.from({ length: depth }, () => (
                  <span class="ind" />
                ))}
                {name}
                {isOptional ? <span class="opt"> {text('portal.optional')}</span> : null}
              </td>
              <td class="b mono dim">{type}</td>
              <td class="tx e">{about}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {fields.length > MAX_FIELDS ? (
        <p class="sec dim">{text('portal.more_fields', { n: fields.length - MAX_FIELDS })}</p>
      ) : null}
    </>
  )
}

/** The fields in the order of the schema, each before those that are in it. */
function fieldsOf(schema: unknown, depth: number): Field[] {
  const { properties, required, items } = partsOf(schema)
  if (properties === undefined) return items === undefined || depth >= MAX_DEPTH ? [] : fieldsOf(items, depth)
  return Object.entries(properties).flatMap(([name, one]) => [
    {
      name,
      depth,
      type: typeOf(one),
      about: partsOf(one).description ?? '',
      isOptional: !(required ?? []).includes(name),
    },
    ...(depth + 1 < MAX_DEPTH ? fieldsOf(one, depth + 1) : []),
  ])
}

function typeOf(schema: unknown): string {
  const { type, enum: values, anyOf, oneOf, items, const: only } = partsOf(schema)
  if (values) return values.map(String).join(' | ')
  if (only !== undefined) return JSON.stringify(only)
  const choices = anyOf ?? oneOf
  if (choices) return [...new Set(choices.map(typeOf))].join(' | ')
  if (Array.isArray(type)) return type.join(' | ')
  if (type === 'array') return `${typeOf(items)}[]`
  return type ?? 'any'
}

/** The keywords of JSON Schema that the table reads, as far as they are what they should be. */
function partsOf(schema: unknown) {
  const all: Record<string, unknown> = isRecord(schema) ? schema : {}
  const list = (name: string): unknown[] | undefined => (Array.isArray(all[name]) ? all[name] : undefined)
  const { type, description, properties } = all
  return {
    type: typeof type === 'string' ? type : list('type')?.map(String),
    description: typeof description === 'string' ? description : undefined,
    properties: isRecord(properties) ? properties : undefined,
    required: list('required'),
    enum: list('enum'),
    anyOf: list('anyOf'),
    oneOf: list('oneOf'),
    items: all['items'],
    const: all['const'],
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
