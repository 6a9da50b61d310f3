import type { ContentFilter } from '@keepsend/engine'
import { readFilter } from '@keepsend/engine/internal'
import type { PortalSent } from '../portal-visit.ts'
import { FILTER_WORDS, type FilterLine, filterOf, linesOf } from './filter-lines.ts'

/** A filter as it was typed: in words, or as JSON. */
export type TypedFilter = { kind: 'words'; lines: FilterLine[] } | { kind: 'json'; text: string }

/** A filter that was read, or why it cannot be. */
export type ReadFilter = { filter: ContentFilter | null } | { problem: { english: string } }

const MAX_LINES = 20
const BLANK: FilterLine = { path: '', operator: 'is', value: '' }

export function typedFilterOf(filter: ContentFilter | null): TypedFilter {
  if (filter === null) return { kind: 'words', lines: [BLANK] }
  const lines = linesOf(filter)
  return lines && lines.length <= MAX_LINES
    ? { kind: 'words', lines }
    : { kind: 'json', text: JSON.stringify(filter, null, 2) }
}

export function typedFilterIn({ field }: PortalSent): TypedFilter {
  if (field('filter-kind') === 'json') return { kind: 'json', text: field('filter') ?? '' }
  const lines = Array.from({ length: MAX_LINES }, (_, at) => at)
    .filter((at) => field(`filter-${at}-operator`) !== undefined)
    .map((at) => ({
      path: field(`filter-${at}-path`) ?? '',
      operator: FILTER_WORDS.find((word) => word === field(`filter-${at}-operator`)) ?? 'is',
      value: field(`filter-${at}-value`) ?? '',
    }))
  return { kind: 'words', lines }
}

/** The filter after one of its own buttons; undefined: another button was used. */
export function changedFilter(typed: TypedFilter, verb: string): TypedFilter | undefined {
  if (verb === 'filter-words') {
    const read = readTyped(typed)
    return 'problem' in read ? typed : typedFilterOf(read.filter)
  }
  if (typed.kind === 'json') return undefined
  const { lines } = typed
  if (verb === 'filter-add') return { kind: 'words', lines: [...lines, BLANK].slice(0, MAX_LINES) }
  if (verb === 'filter-json') {
    const filter = filterOf(used(lines))
    return { kind: 'json', text: filter === null ? '' : JSON.stringify(filter, null, 2) }
  }
  const [, removed] = /^filter-remove-(\d+)$/.exec(verb) ?? []
  return removed === undefined ? undefined : { kind: 'words', lines: lines.filter((_, at) => at !== Number(removed)) }
}

/** Reads it; the problem is that of the engine. */
export function readTyped(typed: TypedFilter): ReadFilter {
  try {
    const filter: unknown = typed.kind === 'words' ? filterOf(used(typed.lines)) : jsonOf(typed.text)
    if (filter === null) return { filter }
    readFilter(filter)
    return { filter: filter as ContentFilter }
  } catch (error) {
    return { problem: { english: error instanceof Error ? error.message : String(error) } }
  }
}

function jsonOf(text: string): unknown {
  return text.trim() === '' ? null : JSON.parse(text)
}

function used(lines: readonly FilterLine[]): FilterLine[] {
  return lines.filter(({ path, value }) => path.trim() !== '' || value !== '')
}
