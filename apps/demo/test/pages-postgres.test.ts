import { openApp } from './app-postgres.ts'
import { describePages } from './pages.ts'

describePages(() => openApp())
