/** The workspaces of an installation. Each has clients that publish in it, and a key. */
export const WORKSPACES = ['proof', 'second'] as const

export type Workspace = (typeof WORKSPACES)[number]

/** An API key of each workspace. */
export type Keys = Record<Workspace, string>

/** An endpoint of an installation, by its path at the receiver. */
export interface Site {
  workspaceId: Workspace
  path: string
  /** It is disabled from the start on and goes on collecting: its deliveries expire, and none may arrive. */
  expires?: true
}

/** A site as the app has made it. */
export interface Endpoint extends Site {
  id: string
}

/** Where the receiver asks for a pause now and then. */
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

/** On Workers a row whose message is lost as its pause ends is found a minute later: there is no pause, and no expiry. */
export const WORKER_SITES: readonly Site[] = [...MAIN, { workspaceId: 'second', path: '/three' }]

/** How long a delivery has: far more than any round takes. The parent puts the time between, see {@link Store.age}. */
export const MAX_AGE_MS = 3_600_000
