import type { LaneRef } from '@keepsend/outbox'
import { type Lane, type Tenant, newLane } from './lane.ts'

// Lanes remembered; beyond this, those without claims in flight are forgotten.
const MAX_LANES = 10_000

/** One {@link Lane} for each endpoint that the poller has met. */
export class KnownLanes {
  readonly #clock: () => number
  readonly #tenants = new Map<string, Tenant>()
  #size = 0

  constructor(clock: () => number) {
    this.#clock = clock
  }

  laneFor(ref: LaneRef): Lane {
    const known = this.#tenants.get(ref.workspaceId)?.known.get(ref.endpointId)
    if (known) return known
    if (this.#size >= MAX_LANES) this.#forgetIdle()
    const tenant = this.#tenantOf(ref.workspaceId)
    const lane = newLane(ref, tenant, this.#clock())
    tenant.known.set(ref.endpointId, lane)
    this.#size++
    return lane
  }

  #tenantOf(workspaceId: string): Tenant {
    let tenant = this.#tenants.get(workspaceId)
    if (!tenant) {
      tenant = { workspaceId, running: 0, waiting: 0, lanes: new Set(), known: new Map() }
      this.#tenants.set(workspaceId, tenant)
    }
    return tenant
  }

  #forgetIdle(): void {
    this.#size = 0
    for (const [id, { known }] of this.#tenants) {
      for (const [endpointId, { waiting, running }] of known)
        if (waiting.length + running === 0) known.delete(endpointId)
      if (known.size === 0) this.#tenants.delete(id)
      this.#size += known.size
    }
  }
}
