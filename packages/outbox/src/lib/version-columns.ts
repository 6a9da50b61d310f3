import type { Dialect } from './dialect.ts'
import { type SqlText, raw, sqlText } from './statement.ts'
import type { CopyReceivers, PayloadVersions, StoredCopies } from './versions.ts'

/** The parts of an insert that choose the payload of each row by the label of its receiver. */
interface VersionColumns extends StoredCopies {
  /** Ends the columns of the table `receiver`. */
  wanted: SqlText
  /** Ends the `from` of the insert. */
  join: SqlText
  /** The id of a row's payload, by that of the payload itself. */
  idOf: (stored: SqlText) => SqlText
  column: SqlText
  value: SqlText
}

const NOTHING = raw('')
const NO_VERSIONS: VersionColumns = {
  before: [],
  ctes: [],
  known: NOTHING,
  wanted: NOTHING,
  join: NOTHING,
  idOf: (stored) => stored,
  column: NOTHING,
  value: NOTHING,
}

const COLUMN = raw(', version, convert_to')

/** A label of the receiver that is not known gets the payload itself, for its worker to convert. */
export function versionColumns(
  dialect: Dialect,
  { eventId, versions }: { eventId: string; versions?: PayloadVersions | undefined },
  receivers: Omit<CopyReceivers, 'label'> & { label: SqlText | undefined },
): VersionColumns {
  const { label, record } = receivers
  if (!versions || !label) return NO_VERSIONS
  const copies = versions.copies.map((copy) => ({ ...copy, eventId }))
  const stored = dialect.storeCopies(versions.labels, copies, { ...receivers, label })
  const isKnown = raw('labelled.label is not null')
  const own = sqlText`cast(${versions.labels[0]} as text)`
  const parts = {
    ...stored,
    wanted: sqlText`, ${label} as wanted`,
    join: raw(' left join labelled on labelled.label = receiver.wanted'),
    column: COLUMN,
  }
  const idOf = (id: SqlText): SqlText =>
    copies.length === 0 ? id : sqlText`case when labelled.place > 0 then labelled.copy_id else ${id} end`
  const version = sqlText`case when ${isKnown} then wanted else ${own} end`
  const convertTo = sqlText`case when ${isKnown} then null else wanted end`
  if (!record) return { ...parts, idOf, value: sqlText`, ${version}, ${convertTo}` }
  // Of an event that was published before, the recorded payload is sent, in the version that was recorded.
  const isEarlier = raw('(select payload_id from earlier) is not null')
  const earlier = (column: string): SqlText => raw(`(select ${column} from earlier)`)
  const copyId = dialect.entryOf(earlier('copies'), raw('receiver.wanted'))
  return {
    ...parts,
    idOf: (id) =>
      sqlText`case when ${isEarlier} then coalesce(${copyId}, ${earlier('payload_id')}) else ${idOf(id)} end`,
    value: sqlText`,
      case when not ${isEarlier} then ${version} when ${copyId} is not null then wanted else ${earlier('version')} end,
      case when not ${isEarlier} then ${convertTo} when ${copyId} is null and ${earlier('version')} <> wanted then wanted end`,
  }
}
