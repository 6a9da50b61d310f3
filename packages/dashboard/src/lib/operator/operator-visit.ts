import type { Action, Page, Visit } from '../site/visit.ts'

/** A request for a page of the operator's. */
export interface OperatorVisit extends Visit {
  /** The address at which the portal is mounted; undefined: the host did not give it. */
  portalUrl: string | undefined
}

export type OperatorPage = Page<OperatorVisit>
export type OperatorAction = Action<OperatorVisit>
