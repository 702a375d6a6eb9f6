// SwiftPM wants a source in every C target; the code is in libpinfold.
#include "PinfoldFFI.h"
