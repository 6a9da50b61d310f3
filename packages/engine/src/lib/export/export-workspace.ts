import type { OutboxDatabase } from '@keepsend/outbox'
import type { OptionNames } from '@keepsend/outbox/internal'
import { checkNames } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { TIME_RANGE, type TimeRange, checkRange } from '../time-range.ts'
import { checkWorkspaceId } from '../workspace-id.ts'
import {
  EXPORT_KINDS,
  type ExportKind,
  type ExportPosition,
  FIRST_POSITION,
  readPosition,
  writePosition,
} from './export-position.ts'
import { type ExportedParts, exportedKinds } from './exported-kinds.ts'

/** `since` and `until` mean the time of an event, a settle, an action or a failure; endpoints and API keys are exported whatever their age. */
export interface ExportOptions extends TimeRange {
  /** The `after` of the last line of kind `cursor` that you stored: continues an export that ended early. @default from the beginning */
  after?: string | undefined
}

export const EXPORT_OPTIONS = { after: 'text', ...TIME_RANGE } satisfies OptionNames<ExportOptions>

/** `engine.export`. */
export type ExportWorkspace = (workspaceId: string, options?: ExportOptions) => AsyncGenerator<string, void, undefined>

// An invocation of a Worker may run 50 statements on the free plan, and a page takes at most two.
const BILLED_PAGES = 20

export interface ExportDeps extends ExportedParts {
  logger: Logger
}

export function createExport(deps: ExportDeps): ExportWorkspace {
  return (workspaceId, options = {}) => {
    checkNames('engine.export', EXPORT_OPTIONS, options)
    checkWorkspaceId(workspaceId)
    checkRange(options)
    const start = options.after === undefined ? FIRST_POSITION : readPosition(options.after)
    return exportLines(deps, { ...options, workspaceId }, start)
  }
}

async function* exportLines(
  { logger, ...parts }: ExportDeps,
  of: TimeRange & { workspaceId: string },
  start: ExportPosition,
): AsyncGenerator<string, void, undefined> {
  const kinds = await exportedKinds(parts, of)
  const counts = { ...start.counts }
  let { kind, position } = start
  for (let pages = 0; pages < mostPages(parts.db); pages++) {
    const { rows, next } = await kinds[kind](position)
    for (const row of rows) yield lineOf({ kind, ...row })
    counts[kind] += rows.length
    position = next
    if (position === undefined) {
      const nextKind = EXPORT_KINDS[EXPORT_KINDS.indexOf(kind) + 1]
      if (nextKind === undefined) {
        logger.info({ workspaceId: of.workspaceId, ...counts }, 'exported a workspace')
        yield lineOf({ kind: 'end', counts })
        return
      }
      kind = nextKind
    }
    yield lineOf({ kind: 'cursor', after: writePosition({ kind, position, counts }) })
  }
}

function mostPages({ dialect }: Pick<OutboxDatabase, 'dialect'>): number {
  return dialect.isBilled ? BILLED_PAGES : Infinity
}

/** A line of an export. */
export function lineOf(line: ExportLine): string {
  return `${JSON.stringify(line)}\n`
}

type ExportLine =
  | { kind: ExportKind }
  | { kind: 'cursor'; after: string }
  | { kind: 'end'; counts: Record<ExportKind, number> }
  | { kind: 'error'; code: string }
