import type { EndpointProblem } from '@keepsend/engine'
import { errorName } from '../../history/errors.ts'
import type { Reader } from '../../reader/reader.ts'

/** The name of a problem: that of its error. */
export function problemName({ lastError, httpStatus, errorClass }: EndpointProblem, { text }: Reader): string {
  return errorName({ error: lastError, httpStatus, errorClass }, text) ?? errorClass
}
