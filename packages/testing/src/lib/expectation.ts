import { type Difference, differences, show } from './differences.ts'
import { TestingError } from './errors.ts'
import type { PublishedEvent } from './published.ts'

/** The part of `createTestEngine`'s engine that assertions use. */
export interface Published {
  published(): Promise<PublishedEvent[]>
}

/** Published events that a test expects. */
export interface Expected {
  type: string
  /** The expected part of their data; undefined: any. */
  data?: unknown
  /** How many. @default at least one */
  times?: number | undefined
}

/** Whether they were published, and the message if not. `notMessage` is for a test that expects the opposite. */
export interface Checked {
  pass: boolean
  message: string
  notMessage: string
}

const MOST_NEAREST = 3
const MOST_LINES = 10

/** @throws {TestingError} `invalid_option` if the engine is not of `createTestEngine`, or an argument is of a wrong type */
export async function check(engine: unknown, { type, data, times }: Expected): Promise<Checked> {
  if (!hasPublished(engine)) {
    throw new TestingError('invalid_option', `expected the engine of createTestEngine; found ${kindOf(engine)}`)
  }
  if (typeof type !== 'string') throw new TestingError('invalid_option', `type must be a text; found ${show(type)}`)
  if (times !== undefined && !(Number.isSafeInteger(times) && times >= 0)) {
    throw new TestingError('invalid_option', `times must be a whole number from 0; found ${show(times)}`)
  }
  const all = await engine.published()
  const compared = all
    .filter((event) => event.type === type)
    .map((event) => ({ event, differs: data === undefined ? [] : differences(data, event.data) }))
  const matching = compared.filter(({ differs }) => differs.length === 0)
  const others = compared.filter(({ differs }) => differs.length > 0)
  const wanted = data === undefined ? type : `${type} with ${show(data)}`
  const exactly = times === undefined ? '' : ` exactly ${times === 1 ? 'once' : `${times} times`}`
  const found = list(
    'Published:',
    matching.map(({ event }) => `  ${nameOf(event)} ${show(event.data)}`),
  )
  return {
    pass: times === undefined ? matching.length > 0 : matching.length === times,
    message: paragraphs([
      `Expected ${wanted} to be published${exactly}; found ${matching.length === 0 ? 'none' : matching.length}.`,
      ...found,
      ...nearest(others),
      typesOf(all),
    ]),
    notMessage: paragraphs([`Expected ${wanted} not to be published${exactly}; found ${matching.length}.`, ...found]),
  }
}

interface Compared {
  event: PublishedEvent
  differs: Difference[]
}

/** The events of the type that differ least, each with its differences. */
function nearest(others: readonly Compared[]): string[] {
  if (others.length === 0) return []
  const sorted = others.toSorted((one, other) => one.differs.length - other.differs.length)
  const title = `Nearest, of ${sorted.length} of this type that differ (- expected, + published):`
  const shown = sorted
    .slice(0, MOST_NEAREST)
    .flatMap(({ event, differs }) => list(`  ${nameOf(event)}`, differs.map(lineOf)))
  return [title, ...shown]
}

function lineOf({ path, expected, found }: Difference): string {
  const name = path === '' ? 'data' : path
  return [
    ...(expected === undefined ? [] : [`    - ${name}: ${show(expected)}`]),
    ...(found === undefined ? [] : [`    + ${name}: ${show(found)}`]),
  ].join('\n')
}

/** A title and the first lines below it; nothing without lines. */
function list(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return []
  const more = lines.length - MOST_LINES
  return [[title, ...lines.slice(0, MOST_LINES), ...(more > 0 ? [`    and ${more} more`] : [])].join('\n')]
}

function typesOf(all: readonly PublishedEvent[]): string {
  if (all.length === 0) return 'Nothing was published.'
  const counts = [...Map.groupBy(all, ({ type }) => type)].map(([type, of]) => `${type} ×${of.length}`)
  return `All published types: ${counts.join(', ')}.`
}

function nameOf({ id, workspaceId }: PublishedEvent): string {
  return `${id} of ${workspaceId}:`
}

function paragraphs(parts: readonly string[]): string {
  return parts.join('\n\n')
}

function hasPublished(engine: unknown): engine is Published {
  return (
    typeof engine === 'object' && engine !== null && 'published' in engine && typeof engine.published === 'function'
  )
}

function kindOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'another object' : show(value)
}
