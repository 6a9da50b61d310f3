/** The workspaces of an installation. Each has a key, and clients that publish in it. */
export const WORKSPACES = ['proof', 'second'] as const

export type Workspace = (typeof WORKSPACES)[number]

/** An API key of each workspace. */
export type Keys = Record<Workspace, string>

/** An endpoint of an installation, by its path at the receiver. */
export interface Site {
  workspaceId: Workspace
  path: string
  /** Disabled from the start, and continues to collect: its deliveries expire, and none may arrive. */
  expires?: true
}

/** A site that the app has created. */
export interface Endpoint extends Site {
  id: string
}

/** The endpoint whose receiver sometimes asks for a pause. */
export const PAUSING = '/pausing'

const MAIN: readonly Site[] = [
  { workspaceId: 'proof', path: '/one' },
  { workspaceId: 'proof', path: '/two' },
]

export const SITES: readonly Site[] = [
  ...MAIN,
  { workspaceId: 'second', path: PAUSING },
  { workspaceId: 'second', path: '/collecting', expires: true },
]

/**
 * On Workers a row whose message is lost at the end of its pause is found a minute later: so there are no pauses, and
 * no expiry.
 */
export const WORKER_SITES: readonly Site[] = [...MAIN, { workspaceId: 'second', path: '/three' }]

/** Maximum age of a delivery: far more than any round takes. The parent makes rows older, see {@link Store.age}. */
export const MAX_AGE_MS = 3_600_000
