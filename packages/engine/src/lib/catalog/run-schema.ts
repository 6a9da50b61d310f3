import type { StandardSchemaV1 } from '@standard-schema/spec'
import { EngineError } from '../errors.ts'
import { type FieldProblem, MAX_LISTED } from '../formats/listed-problems.ts'

/** The output of a schema, or the first problems of its input with the number of all. */
export type SchemaResult =
  | { output: unknown; problems?: undefined }
  | { problems: readonly FieldProblem[]; count: number }

/**
 * Validates data by a schema of any vendor. A promise if the schema is asynchronous.
 *
 * @throws {EngineError} `invalid_option`: the schema threw instead of returning its problems. That error is only the `cause`,
 *   because it may quote the data
 */
export function runSchema(type: string, schema: StandardSchemaV1, data: unknown): SchemaResult | Promise<SchemaResult> {
  const fail = (cause: unknown): never => {
    const name = cause instanceof Error ? cause.name : typeof cause
    throw new EngineError(
      'invalid_option',
      `the schema of ${type} threw (${name}) where it should have returned its problems: correct the schema`,
      { cause },
    )
  }
  try {
    const result = schema['~standard'].validate(data)
    return 'then' in result ? Promise.resolve(result).then(readResult).catch(fail) : readResult(result)
  } catch (cause) {
    return fail(cause)
  }
}

function readResult(result: StandardSchemaV1.Result<unknown>): SchemaResult {
  const { issues } = result
  if (issues === undefined) return { output: result.value }
  // By index: the list may be of a class of its own, which cannot be sliced.
  const shown = Array.from({ length: Math.min(issues.length, MAX_LISTED) }, (_, index) => issues[index])
  const problems = shown.map((issue) => ({
    path: (issue?.path ?? []).map((part) => (typeof part === 'object' ? part.key : part)),
    message: String(issue?.message),
  }))
  return { problems, count: issues.length }
}

/** The result of a synchronous schema; undefined: the schema is asynchronous, and its result is dropped. */
export function resultNow(result: SchemaResult | Promise<SchemaResult>): SchemaResult | undefined {
  if (!(result instanceof Promise)) return result
  result.catch(() => undefined)
  return undefined
}
