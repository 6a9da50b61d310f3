// Requests to the processes of the workload `neighbours` over IPC: see ../ask.ts.
import type { EndpointInput } from '@keepsend/engine'
import type { LaneRef } from '@keepsend/outbox'

/** When an event's publish was committed, in ms of the machine's monotonic clock. */
export type Published = [eventId: string, atMs: number]

/** When a POST arrived first, on the same clock. */
export type Arrival = [path: string, eventId: string, atMs: number]

/** A process that publishes, delivers or both: processes/neighbour.ts. */
export interface NeighbourAsks {
  /** Starts delivering. */
  start: { ask: undefined; answer: undefined }
  /** Creates these endpoints; returns their ids, in order. */
  create: { ask: { workspaceId: string; endpoints: EndpointInput[] }; answer: string[] }
  enable: { ask: LaneRef & { isEnabled: boolean }; answer: undefined }
  /** Commits rows, over these lanes in turn, as fan-outs would. */
  seed: { ask: { lanes: LaneRef[]; events: number; type?: string }; answer: undefined }
  /** Inserts rows by one statement, pending or failed. */
  fill: { ask: LaneRef & { kind: 'pending' | 'failed'; count: number }; answer: undefined }
  /** Makes one `POST /events` with this many events. */
  post: { ask: { workspaceId: string; events: number }; answer: undefined }
  /** Publishes one event. */
  publish: { ask: { workspaceId: string }; answer: undefined }
  /** Publishes one event every `everyMs`, for `ms`, without waiting for the ones before. */
  publishFor: { ask: { workspaceId: string; everyMs: number; ms: number }; answer: Published[] }
  /** Makes a job that replays all failed rows. */
  replay: { ask: LaneRef; answer: undefined }
  /** Number of held rows. */
  held: { ask: undefined; answer: number }
}

export interface NeighbourSetup {
  store: 'sqlite' | 'postgres'
  place: string
}

/** The receivers of one side: processes/neighbour-receiver.ts. */
export interface ReceiverAsks {
  port: { ask: undefined; answer: number }
  /** POSTs that were answered with 200 since the start. */
  delivered: { ask: undefined; answer: number }
  /** First arrivals since the last call; only from a receiver that records them. */
  arrivals: { ask: undefined; answer: Arrival[] }
}

export interface ReceiverSetup {
  /** Whether it records when each event arrives. */
  records: boolean
}
