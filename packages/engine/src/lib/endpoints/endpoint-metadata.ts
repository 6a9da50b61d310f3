import { characters } from '../formats/characters.ts'
import { EngineError } from '../errors.ts'
import { UID, UID_RULE } from './endpoint-uid.ts'

export const MAX_METADATA = 20
const MAX_METADATA_KEY = 40
export const MAX_METADATA_VALUE = 500

/** @throws {EngineError} `invalid_endpoint`, naming the key, what was found and what is expected */
export function checkMetadata(metadata: Readonly<Record<string, unknown>>): void {
  const entries = Object.entries(metadata)
  if (entries.length > MAX_METADATA) throw invalid(`must hold at most ${MAX_METADATA} texts; found ${entries.length}`)
  for (const [key, value] of entries) {
    const shown = JSON.stringify(key).slice(0, 100)
    if (key.length > MAX_METADATA_KEY || !UID.test(key)) {
      throw invalid(`must have keys of 1 to ${MAX_METADATA_KEY} ${UID_RULE}; found ${shown}`)
    }
    if (typeof value !== 'string') throw invalid(`must hold texts; found ${typeof value} under ${shown}`)
    const found = characters(value)
    if (found > MAX_METADATA_VALUE) {
      throw invalid(`must hold texts of at most ${MAX_METADATA_VALUE} characters; found ${found} under ${shown}`)
    }
    // Postgres rejects both.
    if (!value.isWellFormed() || value.includes('\0')) {
      throw invalid(`must hold well-formed texts without a NUL; found another under ${shown}`)
    }
  }
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_endpoint', `metadata ${message}`)
}
