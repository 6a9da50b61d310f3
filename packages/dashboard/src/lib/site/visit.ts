import type { Engine } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import type { Reader } from '../reader/reader.ts'

/** A request for a page. */
export interface Visit {
  engine: Engine
  reader: Reader
  /** A parameter of the path; a page asks only for those of its own path. */
  param: (name: string) => string
  /** A value of the query; undefined if it is absent or empty. */
  query: (name: string) => string | undefined
}

/** The parameters of the query that a page reads, for the links that change one of them. */
export function queryOf<Name extends string>(visit: Visit, names: readonly Name[]): Record<Name, string | undefined> {
  return Object.fromEntries(names.map((name) => [name, visit.query(name)])) as Record<Name, string | undefined>
}

/** The content of a page. */
export interface Shown {
  title: string
  main: Child
  /** How often the page looks again by itself, in ms. @default never */
  liveMs?: number | undefined
  /** Without script, the page loads itself again after this many seconds. @default never */
  refreshS?: number | undefined
  /** @default 200 */
  status?: 200 | 400 | 403 | 404 | 409 | undefined
}

export interface Page<V extends Visit = Visit> {
  /** Such as `/deliveries/:id`. */
  path: string
  /** The part of the navigation that it belongs to. */
  section: string | undefined
  show(visit: V): Promise<Shown> | Shown
}

/** The fields of a form, beside the visit that sent it. */
interface Fields {
  /** A field; undefined if it is absent or empty. */
  field: (name: string) => string | undefined
  /** All values of a field. */
  fields: (name: string) => string[]
  /** Who sent it, for the audit. */
  by: string
}

/** A form that was sent. */
export type Sent<V extends Visit = Visit> = V & Fields

/** A change, which answers with the address to go to, or with a page that says what is wrong with the form. */
export interface Action<V extends Visit = Visit> {
  path: string
  section: string | undefined
  act(sent: Sent<V>): Promise<string | Shown>
}
