import { EngineError } from '../errors.ts'
import { parseAsWritten, withDigitsOf } from '../formats/exact-json.ts'
import { listProblems } from '../formats/listed-problems.ts'
import { envelope } from '../publish/event.ts'
import type { EventDefinition, OlderVersion } from './event-definition.ts'
import { resultNow, runSchema } from './run-schema.ts'

/** Handles the result of a converter that does not fit the schema of its version. @default it is refused */
export type OnMisfit = ((message: string) => void) | undefined

/**
 * Converts a payload one version down. It is parsed for each step, so no converter can change what another one gets, and numbers
 * that are not changed have the digits as written.
 *
 * @param onMisfit instead of refusing a result that does not fit; null: the schema is not used
 * @throws {EngineError} `invalid_option`: the converter threw, or its result is no object or does not fit the schema. An error
 *   that it threw is only the `cause`, because it may quote the data
 */
export function convertDown(payload: string, older: OlderVersion, onMisfit?: OnMisfit | null): string {
  const { type, timestamp, data } = JSON.parse(payload) as { type: string; timestamp: string; data: object }
  const converted = validated(type, older, run(type, older, data), onMisfit)
  const written = parseAsWritten(payload) as { data: object } | undefined
  // Parsed again: the converter may have changed its input.
  const plain = written && (JSON.parse(payload) as { data: object }).data
  try {
    return envelope(type, timestamp, withDigitsOf(written?.data, plain, converted) as object)
  } catch (cause) {
    throw failed(
      type,
      older,
      `returned no data that can be sent: ${cause instanceof EngineError ? cause.message : ''}`,
      cause,
    )
  }
}

function run(type: string, older: OlderVersion, data: object): object {
  let converted: object
  try {
    converted = older.convert(data)
  } catch (cause) {
    throw failed(type, older, `threw (${cause instanceof Error ? cause.name : typeof cause})`, cause)
  }
  if (!(converted instanceof Promise)) return converted
  converted.catch(() => undefined)
  throw failed(type, older, 'is asynchronous')
}

function validated(type: string, older: OlderVersion, data: object, onMisfit: OnMisfit | null): object {
  const { schema, label } = older
  if (!schema || onMisfit === null) return data
  const result = resultNow(runSchema(`${type} in version ${label}`, schema, data))
  if (!result)
    throw new EngineError(
      'invalid_option',
      `the schema of ${type} in version ${label} is asynchronous: that of an older version must be synchronous`,
    )
  if (!result.problems) return result.output as object
  const message = `data that does not fit its schema: ${listProblems(result.problems, result.count)}`
  if (!onMisfit) throw failed(type, older, `returned ${message}`)
  onMisfit(`converted ${type} to version ${label} as ${message}`)
  return data
}

function failed(type: string, { label }: OlderVersion, what: string, cause?: unknown): EngineError {
  return new EngineError('invalid_option', `the converter of ${type} to version ${label} ${what}: correct it`, {
    cause,
  })
}

/** The data of every older version of an event, as it is sent; the first is the newest of them. */
export function versionsOfData(type: string, { older = [] }: EventDefinition, data: object): object[] {
  let payload = envelope(type, '', data)
  return older.map((version) => {
    payload = convertDown(payload, version)
    return (JSON.parse(payload) as { data: object }).data
  })
}
