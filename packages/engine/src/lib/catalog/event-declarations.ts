import { oneLine } from '../formats/one-line.ts'
import { silentLogger } from '../logger.ts'
import type { EventCatalog } from './event-catalog.ts'
import { type EventType, eventTypesOf } from './event-types.ts'
import type { JsonSchema } from './json-schema.ts'

const MAX_DEPTH = 64

/**
 * The text of a TypeScript declaration file (`.d.ts`) for receivers: `EventData`, the data of each type, and `WebhookEvent`, the
 * body of a request. `unknown` stands for parts that have no JSON Schema, or one that TypeScript cannot express.
 *
 * @example
 * await writeFile('events.d.ts', eventDeclarations(catalog))
 */
export function eventDeclarations(catalog: EventCatalog): string {
  const printer = new Printer()
  const dataOf = (jsonSchema: JsonSchema | null, indent: string): string =>
    jsonSchema ? printer.of(jsonSchema, { root: jsonSchema, indent, depth: 0 }) : 'unknown'
  const eventTypes = eventTypesOf(catalog, silentLogger)
  const types = eventTypes.map(({ type, description, deprecated, jsonSchema }) => {
    const lines = [...(description === null ? [] : [description]), ...(deprecated ? ['@deprecated'] : [])]
    return `${commentOf(lines, '  ')}  ${JSON.stringify(type)}: ${dataOf(jsonSchema, '  ')}\n`
  })
  const versions = catalog.versions.length === 0 ? '' : versionsOf(catalog, eventTypes, dataOf)
  return `/** The data of each type of event. */
export interface EventData {
${types.join('')}}

/** The body of a webhook. */
export type WebhookEvent<Type extends keyof EventData = keyof EventData> = {
  [One in Type]: { type: One; timestamp: string; data: EventData[One] }
}[Type]
${versions}${printer.shared.map((text) => `\n${text}\n`).join('')}`
}

/** `EventVersions`: by label, the types whose data differs from that of {@link EventData}. */
function versionsOf(
  catalog: EventCatalog,
  types: readonly EventType[],
  dataOf: (jsonSchema: JsonSchema | null, indent: string) => string,
): string {
  const labels = catalog.versions.toReversed().map((label) => {
    const changed = types.flatMap(({ type, versions }) => {
      const place = versions.findIndex((one) => one.labels.includes(label))
      const shape = place > 0 ? versions[place] : undefined
      return shape ? [`    ${JSON.stringify(type)}: ${dataOf(shape.jsonSchema, '    ')}\n`] : []
    })
    return `  ${JSON.stringify(label)}: {${changed.length === 0 ? '' : `\n${changed.join('')}  `}}\n`
  })
  return `
/** The types of events whose data is another in a version, the header \`webhook-version\`. */
export interface EventVersions {
${labels.join('')}}

/** The body of a webhook in a version. */
export type VersionedEvent<Version extends keyof EventVersions> = {
  [Type in keyof EventData]: {
    type: Type
    timestamp: string
    data: Type extends keyof EventVersions[Version] ? EventVersions[Version][Type] : EventData[Type]
  }
}[keyof EventData]
`
}

interface Place {
  /** The schema that references begin at. */
  root: JsonSchema
  indent: string
  depth: number
}

class Printer {
  /** Declarations of schemas that are referred to. */
  readonly shared: string[] = []
  readonly #names = new Map<JsonSchema, Map<string, string>>()

  of(schema: unknown, place: Place): string {
    if (schema === false) return 'never'
    if (!isSchema(schema) || place.depth > MAX_DEPTH) return 'unknown'
    const inner = { ...place, depth: place.depth + 1 }
    const parts = [
      ...(typeof schema['$ref'] === 'string' ? [this.#reference(schema['$ref'], inner)] : []),
      ...('const' in schema ? [literal(schema['const'])] : []),
      ...(isList(schema['enum']) ? [union(schema['enum'].map(literal))] : []),
      ...[schema['anyOf'], schema['oneOf']].filter(isList).map((of) => union(of.map((one) => this.of(one, inner)))),
      ...(isList(schema['allOf']) ? schema['allOf'].map((one) => this.of(one, inner)) : []),
    ]
    // A literal says more than the type beside it.
    if (!('const' in schema) && !isList(schema['enum'])) parts.push(...this.#typed(schema, inner))
    const known = [...new Set(parts)].filter((part) => part !== 'unknown')
    if (known.length === 0) return 'unknown'
    return known.length === 1 ? (known[0] ?? 'unknown') : known.map((part) => `(${part})`).join(' & ')
  }

  #typed(schema: JsonSchema, place: Place): string[] {
    const { type } = schema
    if (isList(type)) return [union(type.map((one) => this.#ofType(one, schema, place)))]
    if (type === undefined && isSchema(schema['properties'])) return [this.#object(schema, place)]
    return type === undefined ? [] : [this.#ofType(type, schema, place)]
  }

  #ofType(type: unknown, schema: JsonSchema, place: Place): string {
    if (type === 'string' || type === 'number' || type === 'boolean' || type === 'null') return type
    if (type === 'integer') return 'number'
    if (type === 'array') return this.#array(schema, place)
    return type === 'object' ? this.#object(schema, place) : 'unknown'
  }

  #array({ items, prefixItems, additionalItems }: JsonSchema, place: Place): string {
    // A list of schemas in `items` is draft-07.
    const first = isList(prefixItems) ? prefixItems : isList(items) ? items : undefined
    if (!first) return `Array<${this.of(items, place)}>`
    const rest = isList(prefixItems) ? items : additionalItems
    const parts = first.map((item) => this.of(item, place))
    return `[${[...parts, ...(rest === false ? [] : [`...Array<${this.of(rest, place)}>`])].join(', ')}]`
  }

  #object({ properties, required, additionalProperties }: JsonSchema, place: Place): string {
    const named = isSchema(properties) ? Object.entries(properties) : []
    if (named.length === 0)
      return additionalProperties === false ? '{}' : `{ [name: string]: ${this.of(additionalProperties, place)} }`
    const indent = `${place.indent}  `
    const lines = named.map(([name, schema]) => {
      const needed = isList(required) && required.includes(name)
      const { description, deprecated } = isSchema(schema) ? schema : {}
      const comment = commentOf(
        [...(typeof description === 'string' ? [description] : []), ...(deprecated === true ? ['@deprecated'] : [])],
        indent,
      )
      return `${comment}${indent}${nameOf(name)}${needed ? '' : '?'}: ${this.of(schema, { ...place, indent })}\n`
    })
    return `{\n${lines.join('')}${place.indent}}`
  }

  /** The name of a declaration for the schema at a JSON pointer, so that schemas may contain themselves. */
  #reference(pointer: string, { root }: Place): string {
    const names = this.#names.get(root) ?? new Map<string, string>()
    this.#names.set(root, names)
    const known = names.get(pointer)
    if (known !== undefined) return known
    const target = schemaAt(root, pointer)
    if (target === undefined) return 'unknown'
    const name = `Shared${this.shared.length + 1}`
    names.set(pointer, name)
    // Its place in the list is taken before its own references take theirs.
    const index = this.shared.push('') - 1
    this.shared[index] = `type ${name} = ${this.of(target, { root, indent: '', depth: 0 })}`
    return name
  }
}

function schemaAt(root: JsonSchema, pointer: string): JsonSchema | undefined {
  const [start, ...parts] = pointer.split('/')
  if (start !== '#') return undefined
  let found: unknown = root
  for (const part of parts) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    found =
      typeof found === 'object' && found !== null && Object.hasOwn(found, name) ? Reflect.get(found, name) : undefined
  }
  return isSchema(found) ? found : undefined
}

function literal(value: unknown): string {
  return value !== null && typeof value === 'object' ? 'unknown' : (JSON.stringify(value) ?? 'unknown')
}

function union(parts: readonly string[]): string {
  const each = [...new Set(parts)]
  if (each.includes('unknown')) return 'unknown'
  return each.length === 0 ? 'never' : each.join(' | ')
}

function nameOf(property: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(property) ? property : JSON.stringify(property)
}

function commentOf(lines: readonly string[], indent: string): string {
  if (lines.length === 0) return ''
  return `${indent}/** ${lines.map((line) => oneLine(line).replaceAll('*/', '*\\/')).join(' ')} */\n`
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value)
}
