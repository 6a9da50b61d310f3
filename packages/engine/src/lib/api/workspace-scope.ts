import { z } from '@hono/zod-openapi'
import type { Principal } from '../access/api-keys.ts'
import { EngineError } from '../errors.ts'
import type { OPERATOR_SCOPES } from '../scopes.ts'
import { MAX_WORKSPACE_ID, type WorkspaceScope, allWorkspaces } from '../workspace-id.ts'

const SCOPE = 'workspaces:read' satisfies (typeof OPERATOR_SCOPES)[number]
const ALL = '*'

const id = z.string().min(1).max(MAX_WORKSPACE_ID).optional()

/** The query parameter of a read that operators make in other workspaces. */
export const workspaceQuery = {
  workspaceId: id.openapi({
    description: `Another workspace, or \`*\` for all: needs the scope \`${SCOPE}\` too. By default that of the key`,
  }),
}

/** The same where only one workspace can be asked for. */
export const oneWorkspaceQuery = {
  workspaceId: id.openapi({
    description: `Another workspace: needs the scope \`${SCOPE}\` too. By default that of the key`,
  }),
}

/** The property that answers have for a credential with the scope. */
export const workspaceShown = {
  workspaceId: z
    .string()
    .optional()
    .openapi({ description: `Only for keys with the scope \`${SCOPE}\`` }),
}

/**
 * The workspaces that a request reads. Without the scope only its own, whatever it asks for, whether or not the other exists.
 *
 * @throws {EngineError} `forbidden`: it asks for another, and the credential lacks the scope
 */
export function scopeOf(principal: Principal, asked: string | undefined): WorkspaceScope {
  if (asked === undefined) return principal.workspaceId
  if (principal.scopes.includes(SCOPE)) return asked === ALL ? allWorkspaces : asked
  if (asked === principal.workspaceId) return asked
  throw new EngineError(
    'forbidden',
    `this key lacks the scope ${SCOPE}, so it reads only its own workspace: leave workspaceId out`,
  )
}

/** The one workspace that a request reads. @throws {EngineError} also `invalid_request`, for all workspaces */
export function workspaceOf(principal: Principal, asked: string | undefined): string {
  const scope = scopeOf(principal, asked)
  if (scope !== allWorkspaces) return scope
  throw new EngineError('invalid_request', 'workspaceId must be one workspace here, because several may have this id')
}

/** Adds the workspace of a row to what the API shows of it, for a credential with the scope. */
export function withWorkspace<R extends { workspaceId: unknown }, Shown extends object>(
  { scopes }: Principal,
  show: (row: R) => Shown,
): (row: R) => Shown & { workspaceId?: R['workspaceId'] } {
  const isShown = scopes.includes(SCOPE)
  return (row) => (isShown ? { ...show(row), workspaceId: row.workspaceId } : show(row))
}
