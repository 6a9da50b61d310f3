import { EngineError } from '../errors.ts'
import { fromBase64Url, toBase64Url, utf8 } from '../formats/encoding.ts'

/**
 * The kinds of rows, in the order in which they are exported. Deliveries come before events and attempts: an event is stored at least as
 * long as its deliveries, and a delivery that is delivered meanwhile has become an attempt.
 */
export const EXPORT_KINDS = [
  'workspace',
  'endpoint',
  'api_key',
  'portal_link',
  'delivery',
  'event',
  'attempt',
  'problem',
  'replay',
  'audit',
] as const

export type ExportKind = (typeof EXPORT_KINDS)[number]

/** Rows in the order of their positions, and the position of the next page; undefined: this was the last. */
export interface ExportPage {
  rows: readonly object[]
  next: string | undefined
}

/** How far an export is. */
export interface ExportPosition {
  kind: ExportKind
  /** In the rows of this kind; undefined: at the first. */
  position: string | undefined
  /** The rows that were exported before. */
  counts: Record<ExportKind, number>
}

export const FIRST_POSITION: ExportPosition = {
  kind: EXPORT_KINDS[0],
  position: undefined,
  counts: countsOf(EXPORT_KINDS.map(() => 0)),
}

/** The longest text of a position. */
export const MAX_EXPORT_POSITION = 1000

export function writePosition({ kind, position = '', counts }: ExportPosition): string {
  const texts = [kind, position, ...EXPORT_KINDS.map((one) => counts[one])]
  return toBase64Url(utf8(texts.join(' ')))
}

/** @throws {EngineError} `invalid_request` for a text that no export has written */
export function readPosition(after: string): ExportPosition {
  const text = new TextDecoder().decode(fromBase64Url(after.slice(0, MAX_EXPORT_POSITION)))
  const [, name, position = '', numbers = ''] = /^([a-z_]+) ([\w.-]{0,300})((?: \d{1,15})+)$/.exec(text) ?? []
  const kind = EXPORT_KINDS.find((one) => one === name)
  const counts = numbers.trim().split(' ').map(Number)
  if (kind && counts.length === EXPORT_KINDS.length) {
    const found = { kind, position: position === '' ? undefined : position, counts: countsOf(counts) }
    // With padding it is another text of the same bytes.
    if (writePosition(found) === after) return found
  }
  throw new EngineError('invalid_request', 'after must be that of a line of kind cursor of an earlier export')
}

function countsOf(numbers: readonly number[]): ExportPosition['counts'] {
  return Object.fromEntries(EXPORT_KINDS.map((kind, at) => [kind, numbers[at]])) as ExportPosition['counts']
}
