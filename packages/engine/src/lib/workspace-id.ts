import { EngineError, type EngineErrorCode } from './errors.ts'

const MAX_LENGTH = 255

/**
 * Whether a value is a valid workspace id, which every database stores unchanged: 1 to 255 characters of well-formed text
 * without a NUL. SQLite would store half a surrogate pair as U+FFFD, and two workspaces would become one.
 */
export function isWorkspaceId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= 1 &&
    value.length <= MAX_LENGTH &&
    value.isWellFormed() &&
    !value.includes('\0')
  )
}

/** @throws {EngineError} with this code, naming the value, unless it is a valid workspace id */
export function checkWorkspaceId(value: unknown, code: EngineErrorCode = 'invalid_request'): void {
  if (isWorkspaceId(value)) return
  const found = (JSON.stringify(value) ?? typeof value).slice(0, 100)
  throw new EngineError(
    code,
    `workspaceId must be 1 to ${MAX_LENGTH} characters of well-formed text without a NUL; found ${found}`,
  )
}
