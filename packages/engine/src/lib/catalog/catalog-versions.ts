import type { PayloadCopy } from '@keepsend/outbox/internal'
import { EngineError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import type { EventVersions, PreparedEvent } from '../publish/event.ts'
import { type OnMisfit, convertDown } from './convert.ts'
import type { EventCatalog } from './event-catalog.ts'
import type { OlderVersion } from './event-definition.ts'
import type { Validation } from './event-validator.ts'

/** A payload as a delivery or a record has it. */
export interface VersionedPayload {
  type: string
  payload: string
  /** Its label; null: it has none. */
  version: string | null
  /** The label to which it is still to be converted; null: none. */
  convertTo: string | null
}

/** The versions of a catalog. */
export interface CatalogVersions {
  /** The oldest first. */
  labels: readonly string[]
  newest: string
  oldest: string
  /** Whether endpoints of different labels get different data of this type. */
  isConverted(type: string): boolean
  /**
   * Converts an event from the newest down, only as far as these labels need it.
   *
   * @throws {EngineError} `invalid_option`: see {@link convertDown}
   */
  versionsOf(event: Pick<PreparedEvent, 'type' | 'payload'>, wanted: ReadonlySet<string>): EventVersions
  /**
   * The payload in the version to which it is to be converted, with its label. It stays as it is if that version is newer, or not
   * one of the catalog.
   *
   * @throws {EngineError} `invalid_option`: the catalog does not have its label; see also {@link convertDown}
   */
  convert(of: VersionedPayload): Pick<VersionedPayload, 'payload' | 'version'>
}

export function createCatalogVersions(
  { events, versions }: EventCatalog,
  validation: Validation,
  logger: Pick<Logger, 'warn'>,
): CatalogVersions | undefined {
  const [oldest] = versions
  const newest = versions.at(-1)
  if (oldest === undefined || newest === undefined) return undefined
  const onMisfit: OnMisfit | null =
    validation === 'off' ? null : validation === 'warn' ? (message) => logger.warn({}, message) : undefined
  const olderOf = (type: string): readonly OlderVersion[] =>
    (Object.hasOwn(events, type) ? events[type]?.older : undefined) ?? []
  const newestFirst = versions.toReversed()
  return {
    labels: versions,
    newest,
    oldest,
    isConverted: (type) => olderOf(type).length > 0,

    versionsOf({ type, payload }, wanted) {
      const [first, ...others] = shapesOf(newestFirst, olderOf(type))
      const last = others.findLastIndex(({ labels }) => labels.some((label) => wanted.has(label)))
      let converted = payload
      const copies: PayloadCopy[] = []
      for (const { labels, made } of others.slice(0, last + 1)) {
        if (made) converted = convertDown(converted, made, onMisfit)
        if (labels.some((label) => wanted.has(label))) copies.push({ labels, payload: converted })
      }
      return { oldest, labels: first.labels, copies }
    },

    convert({ type, payload, version, convertTo }) {
      const to = convertTo === null ? -1 : versions.indexOf(convertTo)
      if (to === -1) return { payload, version }
      const from = versions.indexOf(version ?? '')
      if (from === -1)
        throw new EngineError(
          'invalid_option',
          `the payload has version ${version}, and the catalog of this engine has ${versions.join(', ')}: use the catalog that published it, or a later one`,
        )
      if (to >= from) return { payload, version }
      const between = olderOf(type).filter(({ label }) => {
        const place = versions.indexOf(label)
        return place < from && place >= to
      })
      const converted = between.reduce((newer, older) => convertDown(newer, older, onMisfit), payload)
      return { payload: converted, version: convertTo }
    },
  }
}

/** Labels that have the same data, and how it is made of that of the labels before. */
export interface Shape {
  labels: [string, ...string[]]
  /** Undefined for the newest. */
  made: OlderVersion | undefined
}

/** Groups the labels of a catalog by the data that a type has in them, from the newest down. */
export function shapesOf(newestFirst: readonly string[], older: readonly OlderVersion[]): [Shape, ...Shape[]] {
  const [newest = '', ...labels] = newestFirst
  const shapes: [Shape, ...Shape[]] = [{ labels: [newest], made: undefined }]
  for (const label of labels) {
    const made = older.find((one) => one.label === label)
    if (made) shapes.push({ labels: [label], made })
    else shapes.at(-1)?.labels.push(label)
  }
  return shapes
}
