import { openApp } from './app-postgres.ts'
import { describeEveryList } from './reads.ts'

describeEveryList(() => openApp())
