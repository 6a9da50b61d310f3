import { EngineError, type EngineErrorCode } from './errors.ts'

/**
 * All workspaces, in the lists and reads that an operator's page makes: instead of a workspace id, and never by default. Two copies
 * of the package have the same symbol.
 *
 * @example
 * const { rows } = await engine.attempts.list(allWorkspaces, { limit: 50, outcome: 'unsuccessful' })
 */
export const allWorkspaces: unique symbol = Symbol.for('keepsend.allWorkspaces')

/** One workspace, by its id, or all of them. */
export type WorkspaceScope = string | typeof allWorkspaces

export const MAX_WORKSPACE_ID = 255

/**
 * Whether a value is a valid workspace id, which every database stores unchanged: 1 to 255 characters of well-formed text
 * without a NUL. SQLite would store half a surrogate pair as U+FFFD, and two workspaces would become one.
 */
export function isWorkspaceId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= 1 &&
    value.length <= MAX_WORKSPACE_ID &&
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
    `workspaceId must be 1 to ${MAX_WORKSPACE_ID} characters of well-formed text without a NUL; found ${found}`,
  )
}

/**
 * Checks a scope for a statement. Undefined is no scope: it would be all workspaces by accident.
 *
 * @returns the id of the workspace; undefined: all workspaces
 * @throws {EngineError} `invalid_request`, naming the value
 */
export function readScope(scope: WorkspaceScope): string | undefined {
  if (scope === allWorkspaces) return undefined
  checkWorkspaceId(scope)
  return scope
}
