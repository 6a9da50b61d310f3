import { type DialectName, type SqlText, raw, sqlText } from '@keepsend/outbox/internal'

/** An expression: the smallest id of a time, of ids that are a prefix and a UUIDv7. Its twin in code is `firstEventIdAt`. */
export function firstIdAt(dialect: DialectName, prefix: 'evt_' | 'aud_', ms: SqlText): SqlText {
  return sqlText`${raw(`'${prefix}'`)} || ${TIME[dialect](ms)}`
}

const TIME: Record<DialectName, (ms: SqlText) => SqlText> = {
  sqlite: (ms) => sqlText`printf('%08x-%04x', (${ms}) >> 16, (${ms}) & 65535)`,
  postgres: (ms) => sqlText`lpad(to_hex((${ms}) >> 16), 8, '0') || '-' || lpad(to_hex((${ms}) & 65535), 4, '0')`,
}
