/** Files that share a process load the code under test once: bugs must be there to be switched on from the beginning. */
import '../../simulations/replication/planting.js';
