import { z } from '@hono/zod-openapi'
import type { Page } from '../page.ts'
import { EngineError } from '../errors.ts'

const CURSOR = 'The `cursor` of the previous page'

/** Page parameters of every list. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(250).default(50).openapi({ description: 'The most items of a page' }),
  cursor: z.string().max(200).optional().openapi({ description: CURSOR }),
}

/** The longest position of a list that is in the order of values: an id and a value of 200 characters, encoded. */
export const MAX_POSITION = 900

/** The cursor of such a list. */
export const longCursor = z.string().max(1200).optional().openapi({ description: CURSOR })

/**
 * The schema of a page. `cursor` requests the next one and is absent on the last; `complete: false` says that the search
 * stopped before the page was full.
 */
export function pageOf<T extends z.ZodType>(name: string, item: T) {
  return z.object(pageShape(item)).openapi(name)
}

/** The properties of a page, for one that has more of them. */
export function pageShape<T extends z.ZodType>(item: T) {
  return {
    data: z.array(item),
    cursor: z.string().optional().openapi({ description: 'Requests the next page; absent on the last' }),
    complete: z
      .literal(false)
      .optional()
      .openapi({ description: 'The search stopped before the page was full: continue while there is a cursor' }),
  }
}

/** The rows of a page and its cursor, from a query for one row more than the page shows. */
export function toPage<T extends { id: string }>(
  rows: readonly T[],
  limit: number,
): { rows: readonly T[]; cursor?: string } {
  if (rows.length <= limit) return { rows }
  const shown = rows.slice(0, limit)
  return { rows: shown, cursor: btoa(shown.at(-1)?.id ?? '') }
}

/**
 * The id in the cursor of a list whose ids have this prefix, if they have one. It is only a position: whatever it names, the
 * list shows the rows of the credential's workspace.
 */
export function readCursor(
  cursor: string | undefined,
  prefix: 'evt_' | 'ep_' | 'att_' | 'prb_' | 'key_' | 'aud_' | 'rep_' | 'era_' | '',
  mostLength = 140,
): string | undefined {
  if (cursor === undefined) return undefined
  try {
    const id = atob(cursor)
    if (id.startsWith(prefix) && id.length <= mostLength && /^[\w.-]+$/.test(id)) return id
  } catch {
    // Not base64: refused below like any other invalid cursor.
  }
  throw new EngineError('invalid_request', 'cursor must be the cursor of an earlier page of this list')
}

/** A page as the API shows it: its items, the cursor of the next page, and whether the search stopped early. */
export function showPage<R, Shown>(
  { rows, next, complete }: Page<R>,
  show: (row: R) => Shown,
): { data: Shown[]; cursor?: string; complete?: false } {
  return {
    data: rows.map((row) => show(row)),
    ...(next !== undefined && { cursor: btoa(next) }),
    ...(!complete && { complete }),
  }
}
